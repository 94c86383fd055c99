/*
 * Addresses that were given back with their endpoint, and that Docker will give back once more: DeleteEndpoint comes first and
 * ReleaseAddress some milliseconds later. In between the next container of this host may have got the address, and must
 * not lose it.
 */
export class Releases {
  readonly #expected = new Set<string>();

  /** The endpoint is gone, and its address with it. */
  expect(network: string, address: string): void {
    this.#expected.add(`${network} ${address}`);
  }

  /** True if this release is the second half of that. */
  take(network: string, address: string): boolean {
    return this.#expected.delete(`${network} ${address}`);
  }
}
