/*
 * Addresses that attaches under way have chosen and not yet written: those that run at the same time on this node
 * would otherwise all choose the lowest free one, and all but one choose again.
 */

export interface Choice {
  /** Gives up what was chosen before. */
  replace(addresses: readonly string[]): void;
}

export class Choices {
  readonly #byNetwork = new Map<string, Set<string>>();

  /** Chosen on the network by anybody. */
  taken(network: string): ReadonlySet<string> {
    return this.#byNetwork.get(network) ?? new Set();
  }

  of(network: string): Choice {
    let mine: readonly string[] = [];
    return {
      replace: (addresses) => {
        const all = this.#byNetwork.get(network) ?? new Set();
        for (const address of mine) all.delete(address);
        for (const address of addresses) all.add(address);
        if (all.size > 0) this.#byNetwork.set(network, all);
        else this.#byNetwork.delete(network);
        mine = addresses;
      },
    };
  }
}
