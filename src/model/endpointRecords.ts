/**
 * The endpoints that a node knows, each as one short text: as an object, with its strings, lists and labels apart, a
 * record is six hundred bytes, and a node may know ten thousand of them while it asks for a few. The text is a JSON
 * array without the fields' names and without what is empty at its end; it is parsed whenever the record is asked for
 * (2 µs), so that what is returned is the caller's own.
 */
import type { Endpoint } from './records.js';

export class EndpointRecords {
  readonly #texts = new Map<string, string>();

  get size(): number {
    return this.#texts.size;
  }

  has(id: string): boolean {
    return this.#texts.has(id);
  }

  get(id: string): Endpoint | undefined {
    const text = this.#texts.get(id);
    return text === undefined ? undefined : unpack(id, text);
  }

  keys(): IterableIterator<string> {
    return this.#texts.keys();
  }

  *values(): Generator<Endpoint> {
    for (const [id, text] of this.#texts) yield unpack(id, text);
  }

  /** False if the record was there already, exactly so. */
  set(endpoint: Endpoint): boolean {
    const text = pack(endpoint);
    if (this.#texts.get(endpoint.id) === text) return false;
    this.#texts.set(endpoint.id, text);
    return true;
  }

  delete(id: string): boolean {
    return this.#texts.delete(id);
  }
}

function pack(endpoint: Endpoint): string {
  const {
    id: _,
    network,
    node,
    name,
    mac,
    addresses,
    createdAt,
    vtep,
    aliases,
    labels,
    ...others
  } = endpoint;
  const fields = [network, node, name, mac, addresses, createdAt, vtep ?? null, aliases, labels, others];
  while (isEmpty(fields.at(-1))) fields.pop();
  return JSON.stringify(fields);
}

function unpack(id: string, text: string): Endpoint {
  const [network, node, name, mac, addresses, createdAt, vtep, aliases = [], labels = {}, others] =
    JSON.parse(text);
  const record = { id, network, node, name, aliases, mac, addresses, labels, createdAt };
  return vtep == null ? { ...record, ...others } : { ...record, vtep, ...others };
}

function isEmpty(value: unknown): boolean {
  return value === null || (typeof value === 'object' && Object.keys(value).length === 0);
}
