/* Which node has which endpoint, of all networks: so that no worker takes the id of another's. Keys alone are kept. */
import { StoreUnavailable } from '../../model/errors.js';
import { patience } from '../../patience.js';
import { type Follower, follow } from '../../store/follow.js';
import { ENDPOINTS } from '../../store/keys.js';
import type { Store } from '../../store/store.js';

const WAIT_MS = patience(3000);

export class EndpointOwners {
  readonly #follower: Follower;
  #owners = new Map<string, string>();

  constructor(store: Store) {
    this.#follower = follow(store, ENDPOINTS, {
      onList: (entries) => {
        this.#owners = new Map(entries.map(({ key }) => partsOf(key)));
      },
      onPut: ({ key }) => {
        const [id, node] = partsOf(key);
        if (!this.#owners.has(id)) this.#owners.set(id, node);
      },
      onDelete: (key) => {
        const [id, node] = partsOf(key);
        if (this.#owners.get(id) === node) this.#owners.delete(id);
      },
    });
  }

  /** Endpoint → node. Throws StoreUnavailable while etcd has not been read. */
  async known(): Promise<ReadonlyMap<string, string>> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new StoreUnavailable('read endpoints: etcd has not answered yet')),
        WAIT_MS,
      );
    });
    await Promise.race([this.#follower.synced, late]).finally(() => clearTimeout(timer));
    return this.#owners;
  }

  close(): Promise<void> {
    return this.#follower.close();
  }
}

/** `…/<network>/<node>/<id>` */
function partsOf(key: string): [id: string, node: string] {
  const [id = '', node = ''] = key.split('/').reverse();
  return [id, node];
}
