// A small cluster as one node sees it: records to put into a view, and the rows that follow from it as text.
import * as assert from 'uvu/assert';
import { formatMac } from '../../../src/model/addresses.js';
import { type AllRows, DesiredRows } from '../../../src/model/desired.js';
import type { Endpoint, Network, Node } from '../../../src/model/records.js';
import { type RowChanges, TABLE_NAMES, type TableTypes } from '../../../src/model/rows.js';
import { ClusterView } from '../../../src/model/view.js';

const createdAt = '2026-11-22T14:00:00.000Z';
const none = { labels: {}, createdAt };
export const node = (id: string, vtep: string): Node => ({ id, name: id, vtep, version: '1', ...none });
export const [n1, n2, n3] = [node('n1', '192.0.2.1'), node('n2', '192.0.2.2'), node('n3', '2001:db8::3')];

export const app: Network = {
  id: 'app',
  name: 'app',
  vni: 4096,
  subnets: [
    { subnet: '10.1.0.0/24', gateway: '10.1.0.1' },
    { subnet: 'fd00:1::/64', gateway: 'fd00:1::1' },
  ],
  internal: false,
  mtu: 1450,
  options: {},
  ...none,
};
export const inner: Network = {
  ...app,
  id: 'inner',
  name: 'inner',
  vni: 4097,
  subnets: [{ subnet: '10.2.0.0/24', gateway: null }],
  internal: true,
};

export function endpoint(
  id: string,
  network: Network,
  on: Node,
  host: number,
  more: Partial<Endpoint> = {},
): Endpoint {
  const v6 = network === app ? [`fd00:1::${host.toString(16)}`] : [];
  const addresses = [network === app ? `10.1.0.${host}` : `10.2.0.${host}`, ...v6];
  const mac = `02:00:00:00:00:${host.toString(16).padStart(2, '0')}`;
  return { id, network: network.id, node: on.id, name: id, aliases: [], mac, addresses, ...none, ...more };
}

/** A view with rows that follow it, and maps that only get to see the changes. */
export class World {
  readonly view = new ClusterView();
  readonly indexes = new Map<string, number>();
  readonly rows = new DesiredRows(this.view, {
    node: 'n1',
    vtepIndex: (address) => {
      const index = this.indexes.get(address) ?? this.indexes.size + 1;
      this.indexes.set(address, index);
      return index;
    },
  });
  readonly maps: Record<string, Map<string, string>> = Object.fromEntries(
    TABLE_NAMES.map((name) => [name, new Map()]),
  );

  constructor() {
    for (const each of [n1, n2, n3]) this.view.putNode(each);
    for (const each of [app, inner]) this.view.putNetwork(each);
  }

  settle(): RowChanges {
    this.rows.update(this.view.takeDirty());
    const changes = this.rows.takeChanges();
    for (const name of TABLE_NAMES) {
      const { upserts, deletes } = changes[name];
      for (const [key, value] of upserts) this.maps[name]?.set(text(key), text(value));
      for (const key of deletes) this.maps[name]?.delete(text(key));
    }
    return changes;
  }

  /** The maps hold what `all` says, and a new start would say the same. */
  check(): void {
    const all = asText(this.rows.all());
    for (const name of TABLE_NAMES) assert.equal(lines(this.maps[name]), all[name], `changes of ${name}`);
    const fresh = new DesiredRows(this.view, {
      node: 'n1',
      vtepIndex: (address) => this.indexes.get(address) ?? 0,
    });
    fresh.update({
      nodes: new Set(),
      alive: new Set(),
      networks: new Set(this.view.networks.keys()),
      endpoints: new Set(this.view.endpoints.keys()),
    });
    for (const [id, attachment] of this.rows.attachments) fresh.attach(id, attachment);
    assert.equal(asText(fresh.all()), all, 'a new start');
  }
}

export function text(value: unknown): string {
  return JSON.stringify(value, (_, part) => (part instanceof Uint8Array ? formatMac(part) : part));
}

export const lines = (map: Map<string, string> | undefined) =>
  [...(map ?? [])].map(([k, v]) => `${k} → ${v}`).sort();

type Lists = { [T in keyof AllRows]: TableTypes[T][] };

/** All rows that the node should have, as lists. */
export function listed({ fdb, neighbors, endpoints, networks, subnets, senders, flood }: AllRows): Lists {
  return {
    fdb: [...fdb],
    neighbors: [...neighbors],
    endpoints: [...endpoints],
    networks: [...networks],
    subnets: [...subnets],
    senders: [...senders],
    flood: [...flood],
  };
}

export function asText(all: AllRows): Record<string, string[]> {
  const lists = listed(all);
  return Object.fromEntries(
    TABLE_NAMES.map((name) => [
      name,
      lists[name].map(([key, value]) => `${text(key)} → ${text(value)}`).sort(),
    ]),
  );
}
