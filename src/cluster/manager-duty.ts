/*
 * What a manager's agent does besides: runs etcd, unless somebody else does, answers on TCP 2377, gives new managers their vote. It begins and ends as
 * the node becomes a manager and stops being one.
 */
import type { Logger } from 'pino';
import { PlaitError } from '../model/errors.js';
import { pauseUnless } from '../pause.js';
import { aliveKey } from '../store/keys.js';
import type { Connection, Store } from '../store/store.js';
import { DirectWrites } from '../store/writes.js';
import { beginAlone } from './alone.js';
import { type Credentials, credentialPaths } from './credentials.js';
import type { Beginning } from './etcd/arguments.js';
import { EtcdChild } from './etcd/child.js';
import type { Ensemble } from './etcd/ensemble.js';
import { bringFirstRecords, readFirstRecords } from './first-records.js';
import { Guard } from './guard/guard.js';
import { askedWrites } from './manager/asked-writes.js';
import type { Issued } from './manager/contract.js';
import { EndpointOwners } from './manager/endpoint-owners.js';
import { Joins } from './manager/joins.js';
import type { Members } from './manager/peers.js';
import { type ManagerServer, serveManager } from './manager/server.js';
import { JOIN_PORT, type ManagerAddress, type MembershipFile } from './membership-file.js';
import { moveSpec } from './moving.js';
import { readCertificate } from './pki/bundle.js';
import { endRotation } from './rotation.js';

export interface ManagerDutyOptions {
  readonly state: string;
  /** Id of this node. */
  readonly id: string;
  readonly membership: MembershipFile;
  /** Of its own etcd; undefined where somebody else runs it. */
  readonly beginning: Beginning | undefined;
  /** How etcd is reached, by this manager and by workers through it. */
  readonly etcd: Connection;
  readonly ensemble: Ensemble;
  readonly credentials: Credentials;
  readonly store: Store;
  readonly specOf: Members['specOf'];
  readonly managers: () => readonly ManagerAddress[];
  /** etcd has begun as it was told to; from now on its data say how. */
  readonly onBegun: () => Promise<void>;
  readonly notices: Map<string, string>;
  readonly log: Logger;
}

const SERVER_NOTICE = 'manager';
const CLUSTER_NOTICE = 'cluster';
const RETRY_MS = 2000;
/** A new manager has its vote about so much after it has caught up. */
const TEND_MS = 1000;
const RESTART_SPREAD_MS = 3000;

export class ManagerDuty {
  readonly #options: ManagerDutyOptions;
  /** None where somebody else runs it. */
  readonly #etcd: EtcdChild | undefined;
  readonly #guard: Guard;
  readonly #joins: Joins;
  readonly #owners: EndpointOwners;
  readonly #closing = new AbortController();
  readonly #work: Promise<unknown>[] = [];
  #credentials: Credentials;
  #server: ManagerServer | undefined;

  constructor(options: ManagerDutyOptions) {
    const { state, id, membership, store, credentials, etcd, ensemble, notices, log } = options;
    this.#options = options;
    this.#credentials = credentials;
    const { cluster, listenAddress, advertiseAddress } = membership;
    const place = { state, node: id, cluster, listenAddress, advertiseAddress, tls: credentialPaths(state) };
    if (options.beginning) this.#etcd = new EtcdChild({ place, notices, log });
    this.#guard = new Guard({
      upstream: etcd,
      aliveLease: (node) => aliveLease(store, node),
      log,
    });
    this.#joins = new Joins({
      store,
      log,
      ensemble,
      managers: () => options.managers().flatMap(({ node, api }) => (node === null ? [] : [{ node, api }])),
    });
    this.#owners = new EndpointOwners(store);
  }

  /** Never fails: notices say what does not work. */
  start(): void {
    const { beginning } = this.#options;
    if (beginning) this.#etcd?.start(beginning);
    this.#work.push(this.#bring(), this.#listen(), this.#tend());
  }

  /** A certificate for a member, by the CA that is in etcd. */
  issue(node: string, csr: string): Promise<Issued> {
    return this.#joins.issue(node, csr);
  }

  /** The node's certificate is another one, which it was told to get. */
  confirm(node: string, certificate: string, renewed: string): Promise<void> {
    return this.#joins.confirm(node, readCertificate(certificate), renewed);
  }

  renew(credentials: Credentials, etcd: Connection): void {
    const isOtherCa = credentials.ca !== this.#credentials.ca;
    this.#credentials = credentials;
    this.#server?.renew(credentials);
    this.#guard.reconfigure(etcd);
    // etcd reads its certificate at each handshake, and whom it trusts when it starts. Not all managers' at once.
    if (isOtherCa && this.#etcd) this.#work.push(this.#restartSoon());
  }

  async #restartSoon(): Promise<void> {
    await pauseUnless(this.#closing.signal, Math.random() * RESTART_SPREAD_MS);
    this.#etcd?.restart();
  }

  sever(node: string): void {
    this.#server?.sever(node);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#server?.close();
    this.#guard.close();
    await this.#owners.close();
    await Promise.allSettled(this.#work);
    await this.#server?.close(); // that listened meanwhile
    await this.#etcd?.stop();
    this.#options.notices.delete(SERVER_NOTICE);
    this.#options.notices.delete(CLUSTER_NOTICE);
  }

  /** From `init` to etcd, once. */
  async #bring(): Promise<void> {
    const { state, id, membership, store, onBegun, log } = this.#options;
    await this.#persist(CLUSTER_NOTICE, 'the cluster is not in etcd yet', async () => {
      const first = await readFirstRecords(state);
      if (first !== undefined) await bringFirstRecords(store, state, first, log);
      const { kind } = membership.firstStart ?? {};
      const { name, advertiseAddress: address } = membership;
      if (kind === 'restored' || kind === 'forced') await beginAlone(store, id, { name, address });
      await store.ping();
      await onBegun();
    });
  }

  async #listen(): Promise<void> {
    const { membership, store, specOf, managers, log } = this.#options;
    const writes = askedWrites({ store, writes: new DirectWrites(store), owners: this.#owners });
    await this.#persist(SERVER_NOTICE, `TCP ${JOIN_PORT} is not answered`, async () => {
      const server = await serveManager({
        ...{ address: membership.listenAddress, port: JOIN_PORT, cluster: membership.cluster },
        ...{ credentials: this.#credentials, joins: this.#joins, managers, writes, specOf, log },
        move: (node, address) => moveSpec(store, node, address),
        grpc: (stream, path, peer, headers) => this.#guard.handle(stream, path, peer, headers),
      });
      server.renew(this.#credentials); // renewed while it began
      this.#server = server;
    });
  }

  /** Any manager does it for any other. */
  async #tend(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      const { store, ensemble } = this.#options;
      await ensemble.tend().catch(() => undefined); // the next time, or another manager
      await endRotation(store).catch(() => undefined);
      await pauseUnless(signal, TEND_MS);
    }
  }

  /** Again and again until it is done. */
  async #persist(notice: string, what: string, work: () => Promise<void>): Promise<void> {
    const { notices, log } = this.#options;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        await work();
        notices.delete(notice);
        return;
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        if (!(error instanceof PlaitError)) log.error({ err: error }, what);
        notices.set(notice, `${what}: ${message}`);
        await pauseUnless(signal, RETRY_MS);
      }
    }
  }
}

async function aliveLease(store: Store, node: string): Promise<string | undefined> {
  const key = Buffer.from(aliveKey(node));
  const { kvs } = await store.call((client, options) => client.kv.range({ key }, options));
  return kvs[0]?.lease;
}
