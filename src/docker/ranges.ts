/*
 * `docker network create --ip-range`: Docker tells the IPAM driver with the pool, and the network driver, which makes the network a moment
 * later, nothing of it. Kept in between, by the pool; each request says anew whether there is one.
 */
export class Ranges {
  readonly #byPool = new Map<string, string>();

  /** @param range CIDR; empty for none */
  request(pool: string, range: string): void {
    if (range === '') this.#byPool.delete(pool);
    else this.#byPool.set(pool, range);
  }

  /** Of the network that is made now. */
  take(pool: string): string | undefined {
    const range = this.#byPool.get(pool);
    this.#byPool.delete(pool);
    return range;
  }
}
