/*
 * Which lease is whose. One that was granted by way of this guard is known; of one from before (another manager granted it,
 * or this agent was started since) the node's sign of life says it.
 */

/** A node has one at a time; more are leases that it lost, and let end. */
const KEPT = 16;

export class OwnLeases {
  readonly #aliveLease: (node: string) => Promise<string | undefined>;
  readonly #granted = new Map<string, string[]>();

  /** @param aliveLease as `GuardOptions` has it */
  constructor(aliveLease: (node: string) => Promise<string | undefined>) {
    this.#aliveLease = aliveLease;
  }

  grant(node: string, lease: string): void {
    this.#granted.set(node, [...(this.#granted.get(node) ?? []), lease].slice(-KEPT));
  }

  async owns(node: string, lease: string): Promise<boolean> {
    if (this.#granted.get(node)?.includes(lease)) return true;
    return (await this.#aliveLease(node)) === lease;
  }
}
