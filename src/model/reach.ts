/**
 * How containers are reached: the rows of `fdb` and `neighbors`, the tables that grow with the cluster. The objects
 * that a row is made of take a kilobyte per endpoint, so rows are made when they are asked for. What is kept is a line
 * of text for each endpoint, and whose each MAC and each address is.
 *
 * An address or a MAC may pass from one endpoint to the next before word of the first one's end arrives; then both
 * claim it. The latest claim is the row, and giving up an older one leaves it alone.
 */
import { GATEWAY_MAC, linkLocalAddr, parseIp, parseMac, toAddr } from './addresses.js';
import { Index } from './indexes.js';
import type { FdbEntry, FdbKey, Neighbor, NeighborKey, TableChanges } from './rows.js';

/** Where an endpoint is, and what it answers to there. */
export interface Place {
  readonly vni: number;
  readonly mac: string;
  readonly addresses: readonly string[];
  /** As in FdbEntry. */
  readonly ifindex: number;
  readonly slot: number;
}

export interface ReachChanges {
  readonly fdb: TableChanges<FdbKey, FdbEntry>;
  readonly neighbors: TableChanges<NeighborKey, Neighbor>;
}

export class Reach {
  /** By endpoint. */
  readonly #places = new Map<string, string>();
  /** `vni/mac` → endpoints. */
  readonly #macs = new Index();
  /** `vni/address` → endpoints, and networks whose gateway it is. */
  readonly #addresses = new Index();
  #dirtyMacs = new Set<string>();
  #dirtyAddresses = new Set<string>();

  /** Claims what the endpoint, which must not hold anything yet, answers to. */
  claim(endpoint: string, place: Place): void {
    this.#places.set(endpoint, pack(place));
    const { mac, addresses } = keysOf(place);
    this.#macs.add(mac, endpoint);
    this.#dirtyMacs.add(mac);
    for (const address of addresses) this.#claimAddress(address, endpoint);
  }

  /** Returns where the endpoint was. */
  release(endpoint: string): Place | undefined {
    const text = this.#places.get(endpoint);
    if (text === undefined) return undefined;
    this.#places.delete(endpoint);
    const place = unpack(text);
    const { mac, addresses } = keysOf(place);
    this.#macs.delete(mac, endpoint);
    this.#dirtyMacs.add(mac);
    for (const address of addresses) this.#releaseAddress(address, endpoint);
    return place;
  }

  /** The network's gateways, which every node answers for; returns how to give them up. */
  claimGateways(network: string, vni: number, addresses: readonly string[]): () => void {
    for (const address of addresses) this.#claimAddress(`${vni}/${address}`, network);
    return () => {
      for (const address of addresses) this.#releaseAddress(`${vni}/${address}`, network);
    };
  }

  /** Rows that may differ from what the last call returned. */
  takeChanges(): ReachChanges {
    const fdb: ReachChanges['fdb'] = { upserts: [], deletes: [] };
    const neighbors: ReachChanges['neighbors'] = { upserts: [], deletes: [] };
    for (const key of this.#dirtyMacs) {
      note(fdb, fdbKey(key), this.#fdbEntry(key));
      note(neighbors, linkLocalKey(key), this.#macs.last(key) && macOfKey(key));
    }
    for (const key of this.#dirtyAddresses) note(neighbors, addressKey(key), this.#macAt(key));
    this.#dirtyMacs = new Set();
    this.#dirtyAddresses = new Set();
    return { fdb, neighbors };
  }

  /** Every row of `fdb`, as of when it is iterated. */
  *fdb(): Generator<[FdbKey, FdbEntry]> {
    for (const key of this.#macs.keys()) {
      const entry = this.#fdbEntry(key);
      if (entry) yield [fdbKey(key), entry];
    }
  }

  *neighbors(): Generator<[NeighborKey, Neighbor]> {
    for (const key of this.#macs.keys()) yield [linkLocalKey(key), macOfKey(key)];
    for (const key of this.#addresses.keys()) {
      const neighbor = this.#macAt(key);
      if (neighbor) yield [addressKey(key), neighbor];
    }
  }

  #claimAddress(key: string, owner: string): void {
    this.#addresses.add(key, owner);
    this.#dirtyAddresses.add(key);
  }

  #releaseAddress(key: string, owner: string): void {
    this.#addresses.delete(key, owner);
    this.#dirtyAddresses.add(key);
  }

  #fdbEntry(key: string): FdbEntry | undefined {
    const place = this.#placeOf(this.#macs.last(key));
    return place && { ifindex: place.ifindex, slot: place.slot };
  }

  #macAt(key: string): Neighbor | undefined {
    const owner = this.#addresses.last(key);
    if (owner === undefined) return undefined;
    return { mac: parseMac(this.#placeOf(owner)?.mac ?? GATEWAY_MAC) };
  }

  #placeOf(endpoint: string | undefined): Place | undefined {
    const text = endpoint === undefined ? undefined : this.#places.get(endpoint);
    return text === undefined ? undefined : unpack(text);
  }
}

function note<K, V>(changes: TableChanges<K, V>, key: K, value: V | undefined): void {
  if (value === undefined) changes.deletes.push(key);
  else changes.upserts.push([key, value]);
}

function pack({ vni, ifindex, slot, mac, addresses }: Place): string {
  return [vni, ifindex, slot, mac, ...addresses].join('/');
}

function unpack(text: string): Place {
  const [vni, ifindex, slot, mac = '', ...addresses] = text.split('/');
  return { vni: Number(vni), ifindex: Number(ifindex), slot: Number(slot), mac, addresses };
}

function keysOf({ vni, mac, addresses }: Place): { mac: string; addresses: string[] } {
  return { mac: `${vni}/${mac}`, addresses: addresses.map((address) => `${vni}/${address}`) };
}

/** Undoes `keysOf` for one key. */
function split(key: string): { vni: number; text: string } {
  const slash = key.indexOf('/');
  return { vni: Number(key.slice(0, slash)), text: key.slice(slash + 1) };
}

function fdbKey(key: string): FdbKey {
  const { vni, text } = split(key);
  return { vni, mac: parseMac(text) };
}

function linkLocalKey(key: string): NeighborKey {
  const { vni, text } = split(key);
  return { vni, addr: linkLocalAddr(parseMac(text)) };
}

function macOfKey(key: string): Neighbor {
  return { mac: parseMac(split(key).text) };
}

function addressKey(key: string): NeighborKey {
  const { vni, text } = split(key);
  return { vni, addr: toAddr(parseIp(text)) };
}
