/**
 * Records as they come and go: `follow` of a prefix with the values parsed. A value that cannot be read is told
 * by `onBad` and otherwise ignored: the record that was there before stays.
 */
import type { BadRecord, PlaitError } from '../model/errors.js';
import type { Endpoint, Network, Node } from '../model/records.js';
import { parseSpecOf, type SpecOf } from './cluster.js';
import { type Follower, follow } from './follow.js';
import { ALIVE, ENDPOINTS, endpointsOf, lastPart, NETWORKS, NODES, SPECS } from './keys.js';
import { type Parser, parseAll, parseEndpoint, parseNetwork, parseNode } from './parse.js';
import type { Store } from './store.js';

export interface RecordHandlers<T> {
  /**
   * All there are at that revision. `unreadable` are ids of records that exist and could not be read: keep what was
   * known.
   */
  readonly onList: (records: T[], unreadable: ReadonlySet<string>, revision: string) => void;
  readonly onPut: (record: T, revision: string) => void;
  readonly onDelete: (id: string) => void;
  readonly onBad: (error: BadRecord) => void;
  readonly onError?: (error: PlaitError) => void;
}

export function followNodes(store: Store, handlers: RecordHandlers<Node>): Follower {
  return followRecords(store, NODES, parseNode, handlers);
}

/** Ids of the nodes whose lease lives. */
export function followAlive(store: Store, handlers: RecordHandlers<string>): Follower {
  return followRecords(store, ALIVE, ({ key }) => lastPart(key), handlers);
}

/** What managers say of nodes, by the nodes' ids. */
export function followSpecs(store: Store, handlers: RecordHandlers<SpecOf>): Follower {
  return followRecords(store, SPECS, parseSpecOf, handlers);
}

export function followNetworks(store: Store, handlers: RecordHandlers<Network>): Follower {
  return followRecords(store, NETWORKS, parseNetwork, handlers);
}

/** Of one network, or of all. */
export function followEndpoints(
  store: Store,
  network: string | undefined,
  handlers: RecordHandlers<Endpoint>,
): Follower {
  return followRecords(
    store,
    network === undefined ? ENDPOINTS : endpointsOf(network),
    parseEndpoint,
    handlers,
  );
}

function followRecords<T>(
  store: Store,
  prefix: string,
  parse: Parser<T>,
  handlers: RecordHandlers<T>,
): Follower {
  return follow(store, prefix, {
    onList(entries, revision) {
      const { records, bad } = parseAll(entries, parse);
      for (const error of bad) handlers.onBad(error);
      handlers.onList(records, new Set(bad.map((error) => lastPart(error.key))), revision);
    },
    onPut(entry) {
      const { records, bad } = parseAll([entry], parse);
      for (const error of bad) handlers.onBad(error);
      for (const record of records) handlers.onPut(record, entry.modRevision);
    },
    onDelete: (key) => handlers.onDelete(lastPart(key)),
    onError: handlers.onError,
  });
}
