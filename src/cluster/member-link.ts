/*
 * How a member of a cluster reaches it. A manager's agent runs etcd and asks it on the loopback, or asks the one that
 * somebody else runs; a worker's asks managers.
 * What a node is, its spec in etcd says: when that changes, the way changes under the running agent, and nothing else
 * notices. Certificates come and go the same way.
 */
import type { Logger } from 'pino';
import { z } from 'zod';
import { canonicalIp } from '../model/addresses.js';
import { PlaitError, StoreUnavailable } from '../model/errors.js';
import { pauseUnless } from '../pause.js';
import { getExternalEtcd, type SpecOf } from '../store/cluster.js';
import type { Follower } from '../store/follow.js';
import { type Connection, Store } from '../store/store.js';
import { followSpecs } from '../store/watch.js';
import { type ClusterAccess, type ClusterWrites, DirectWrites } from '../store/writes.js';
import { Admin } from './admin.js';
import { type Credentials, storeTls } from './credentials.js';
import { type Beginning, CLIENT_URL } from './etcd/arguments.js';
import { type Ensemble, externalEnsemble, ownEnsemble } from './etcd/ensemble.js';
import { connectionTo, keepExternalEtcd } from './etcd/external.js';
import { forgetEtcd } from './found.js';
import { type ClusterLink, NotManager } from './link.js';
import { ManagerClient } from './manager/client.js';
import { type Issued, issuedSchema } from './manager/contract.js';
import { ManagerWrites } from './manager/writes.js';
import { ManagerDuty } from './manager-duty.js';
import { type MembershipFile, managerAt, writeMembership } from './membership-file.js';
import { moveSpec } from './moving.js';
import type { Availability, ExternalEtcd, Spec } from './records.js';
import { Renewal } from './renewal.js';
import { switchingWrites } from './switching.js';

export interface MemberOptions {
  /** State directory. */
  readonly state: string;
  /** Id of this node. */
  readonly id: string;
  readonly membership: MembershipFile;
  readonly credentials: Credentials;
  /** Of a manager whose cluster's etcd is another's. */
  readonly externalEtcd: ExternalEtcd | undefined;
  readonly notices: Map<string, string>;
  readonly log: Logger;
}

const NOTICE = 'member';
const RETRY_MS = 2000;
const SEVER_MS = 1000;

export class MemberLink implements ClusterLink {
  readonly access: ClusterAccess;
  readonly #options: MemberOptions;
  readonly #store: Store;
  readonly #client: ManagerClient;
  readonly #closing = new AbortController();
  readonly #specs = new Map<string, Spec>();
  #membership: MembershipFile;
  #credentials: Credentials;
  #externalEtcd: ExternalEtcd | undefined;
  #renewal: Renewal | undefined;
  #writes: ClusterWrites;
  #duty: ManagerDuty | undefined;
  #follower: Follower | undefined;
  /** Specs have been listed. */
  #isInformed = false;
  /** One change after the other. */
  #changing: Promise<void> = Promise.resolve();
  #isLeaving = false;
  #writing: Promise<void> = Promise.resolve();

  constructor(options: MemberOptions) {
    this.#options = options;
    this.#membership = options.membership;
    this.#credentials = options.credentials;
    this.#externalEtcd = options.externalEtcd;
    this.#store = new Store(this.#connection());
    this.#client = new ManagerClient(this.#managersToAsk());
    this.#writes = new ManagerWrites(this.#client);
    this.access = { store: this.#store, writes: switchingWrites(() => this.#writes) };
  }

  endpoints(): readonly string[] {
    return this.#connection().endpoints;
  }

  managers(): readonly string[] {
    return this.#membership.managers.map(({ api }) => api);
  }

  availability(): Availability {
    return this.#specs.get(this.#options.id)?.availability ?? 'active';
  }

  admin(): Admin {
    if (this.#membership.role === 'manager') {
      return new Admin(this.#store, new DirectWrites(this.#store), this.#ensemble());
    }
    throw new NotManager('this node is a worker', `run it on a manager: ${this.managers().join(', ')}`);
  }

  start(): void {
    const { firstStart, role } = this.#membership;
    if (role === 'manager') this.#takeUp(beginningOf(firstStart));
    this.#renewal = new Renewal({
      ...this.#options,
      issue: (csr) => this.#issue(csr),
      onRenewed: (credentials) => this.#useCredentials(credentials),
    });
    this.#follower = followSpecs(this.#store, {
      onList: (all) => {
        const listed = new Set(all.map(({ node }) => node));
        for (const { node, spec } of all) this.#specs.set(node, spec);
        for (const node of [...this.#specs.keys()]) if (!listed.has(node)) this.#gone(node);
        this.#isInformed = true;
        this.#changed();
      },
      onPut: ({ node, spec }) => this.#put({ node, spec }),
      onDelete: (node) => {
        this.#gone(node);
        this.#changed();
      },
      onBad: (error) => this.#options.log.error({ err: error }, 'a node is not known as what it is'),
    });
  }

  async checkLeave(): Promise<void> {
    if (this.#membership.role === 'manager') await this.admin().checkRemoval(this.#self(), 'leave cluster');
  }

  async leave(): Promise<void> {
    this.#isLeaving = true;
    const { role, advertiseAddress } = this.#membership;
    if (role === 'manager' && this.#membership.managers.length > 1) {
      await this.#ensemble().dismiss(this.#options.id, advertiseAddress);
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#follower?.close();
    await this.#changing;
    await this.#renewal?.close();
    await this.#duty?.close();
    await this.#writing.catch(() => undefined);
    this.#client.close();
    this.#store.close();
  }

  #self(): { id: string; name: string } {
    return { id: this.#options.id, name: this.#membership.name };
  }

  #put({ node, spec }: SpecOf): void {
    const before = this.#specs.get(node);
    this.#specs.set(node, spec);
    if (before !== undefined && before.role !== spec.role) this.#duty?.sever(node);
    this.#changed();
  }

  /** It may have asked for that itself, and waits for the answer. */
  #gone(node: string): void {
    this.#specs.delete(node);
    setTimeout(() => this.#duty?.sever(node), SEVER_MS).unref();
  }

  /** Something is said of a node: of this one, or of a manager. */
  #changed(): void {
    if (this.#isLeaving) return;
    this.#changing = this.#changing.then(() => this.#adapt());
  }

  async #adapt(): Promise<void> {
    const { notices, log } = this.#options;
    const { signal } = this.#closing;
    while (!signal.aborted && !this.#isLeaving) {
      try {
        const own = this.#specs.get(this.#options.id);
        if (own === undefined) {
          // An etcd that says nothing of anybody is one in which the cluster is not made yet.
          if (this.#specs.size > 0) this.#removed();
          return;
        }
        await this.#learnManagers();
        if (own.role !== this.#membership.role) await this.#become(own);
        if (canonicalIp(own.address) !== canonicalIp(this.#membership.advertiseAddress)) await this.#move();
        if (own.renew !== undefined && own.renew !== own.renewed) await this.#renewFor(own.renew);
        notices.delete(NOTICE);
        return;
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        if (!(error instanceof PlaitError))
          log.error({ err: error }, 'could not adapt to what is said of this node');
        notices.set(NOTICE, `this node has not become what managers say it is: ${message}`);
        await pauseUnless(signal, RETRY_MS);
      }
    }
  }

  #removed(): void {
    const { notices, log } = this.#options;
    const text = 'this node was removed from its cluster';
    if (notices.get(NOTICE)?.startsWith(text)) return;
    notices.set(NOTICE, `${text}: traffic goes on as it was; \`plait leave --force\`, then \`plait join\``);
    log.error(text);
  }

  /** Where they are is written down, for the next start. */
  async #learnManagers(): Promise<void> {
    const managers = [...this.#specs]
      .filter(([, { role }]) => role === 'manager')
      .map(([node, { address }]) => managerAt(node, address))
      .sort((a, b) => (a.node ?? '').localeCompare(b.node ?? ''));
    const isSame = JSON.stringify(managers) === JSON.stringify(this.#membership.managers);
    if (isSame || managers.length === 0) return;
    await this.#remember({ managers });
    this.#reconnect();
  }

  async #become(own: Spec): Promise<void> {
    const { state, log, id } = this.#options;
    log.info({ role: own.role }, `this node becomes a ${own.role}`);
    if (own.role === 'manager') {
      await this.#renewal?.renew(); // from here on it may read what managers read
      const { initialCluster } = own;
      const external = initialCluster === undefined ? await getExternalEtcd(this.#store) : undefined;
      if (initialCluster === undefined && external === undefined)
        throw new StoreUnavailable('become a manager: etcd has no place for it yet');
      await forgetEtcd(state);
      if (external) await keepExternalEtcd(state, external);
      this.#externalEtcd = external;
      const firstStart =
        initialCluster === undefined ? undefined : { kind: 'existing' as const, initialCluster };
      await this.#remember({ role: 'manager', firstStart });
      this.#takeUp(beginningOf(firstStart));
    } else {
      const duty = this.#duty;
      this.#duty = undefined;
      this.#writes = new ManagerWrites(this.#client);
      await this.#remember({ role: 'worker', firstStart: undefined });
      this.#reconnect();
      await duty?.close();
      await forgetEtcd(state);
      this.#externalEtcd = undefined;
      await this.#renewal?.renew();
    }
    log.info({ node: id, role: own.role }, 'it has');
  }

  /** This host is at another address than managers say: they are told, and its certificate is for the new one. */
  async #move(): Promise<void> {
    const { id, log } = this.#options;
    const { advertiseAddress: address, role } = this.#membership;
    if (role === 'manager') {
      await this.#ensemble().move(id, address);
      await moveSpec(this.#store, id, address);
    } else {
      await this.#client.ask({ method: 'POST', path: '/v1/address', body: { address } }, z.looseObject({}));
    }
    await this.#renewal?.renew();
    log.info({ address }, 'the cluster knows this node by its new address');
  }

  /** As managers demand; they want to see the new certificate before they count on it. */
  async #renewFor(renewed: string): Promise<void> {
    if (this.#membership.renewed !== renewed) {
      await this.#renewal?.renew();
      await this.#remember({ renewed });
    }
    if (this.#duty) await this.#duty.confirm(this.#options.id, this.#credentials.certificate, renewed);
    else
      await this.#client.ask({ method: 'POST', path: '/v1/renewed', body: { renewed } }, z.looseObject({}));
  }

  /** Duty as a manager. */
  #takeUp(beginning: Beginning): void {
    this.#duty = new ManagerDuty({
      ...this.#options,
      ...{ membership: this.#membership, credentials: this.#credentials, store: this.#store },
      ...{ etcd: this.#etcd(), ensemble: this.#ensemble() },
      beginning: this.#externalEtcd ? undefined : beginning,
      specOf: (node) => this.#specOf(node),
      managers: () => this.#membership.managers,
      onBegun: () => this.#remember({ firstStart: undefined }),
    });
    this.#duty.start();
    this.#writes = new DirectWrites(this.#store);
    this.#reconnect();
  }

  #specOf(node: string): Spec | undefined {
    if (!this.#isInformed) throw new StoreUnavailable('answer: this manager has not read from etcd yet');
    return this.#specs.get(node);
  }

  #issue(csr: string): Promise<Issued> {
    const isOwn = this.#duty !== undefined && this.#specs.get(this.#options.id)?.role === 'manager';
    if (isOwn && this.#duty) return this.#duty.issue(this.#options.id, csr);
    return this.#client.ask({ method: 'POST', path: '/v1/renew', body: { csr } }, issuedSchema);
  }

  #useCredentials(credentials: Credentials): void {
    this.#credentials = credentials;
    this.#duty?.renew(credentials, this.#etcd());
    this.#reconnect();
  }

  #reconnect(): void {
    this.#store.reconfigure(this.#connection());
    this.#client.reconfigure(this.#managersToAsk());
  }

  #ensemble(): Ensemble {
    return this.#externalEtcd ? externalEnsemble(this.#externalEtcd) : ownEnsemble(this.#store);
  }

  /** As a manager. */
  #etcd(): Connection {
    if (this.#externalEtcd) return connectionTo(this.#externalEtcd);
    return { endpoints: [CLIENT_URL], tls: storeTls(this.#credentials) };
  }

  /** A manager that cannot ask its own etcd asks another manager's. */
  #connection(): Connection {
    if (this.#externalEtcd) return this.#etcd();
    const others = this.#otherManagers().map((api) => `https://${api}`);
    return {
      endpoints: this.#membership.role === 'manager' ? [CLIENT_URL, ...others] : others,
      tls: storeTls(this.#credentials),
    };
  }

  #managersToAsk() {
    return { managers: this.#otherManagers(), credentials: this.#credentials };
  }

  /** HOST:PORT */
  #otherManagers(): string[] {
    const others = this.#membership.managers.filter(({ node }) => node !== this.#options.id);
    return others.map(({ api }) => api);
  }

  /** One after the other: each writes the whole file. */
  #remember(change: Partial<MembershipFile>): Promise<void> {
    this.#membership = { ...this.#membership, ...change };
    const writing = this.#writing
      .catch(() => undefined)
      .then(() => writeMembership(this.#options.state, this.#membership));
    this.#writing = writing;
    return writing;
  }
}

function beginningOf(firstStart: MembershipFile['firstStart']): Beginning {
  if (firstStart === undefined || firstStart.kind === 'restored') return { kind: 'again' };
  if (firstStart.kind === 'forced') return { kind: 'force-new-cluster' };
  return {
    kind: firstStart.kind === 'existing' ? 'existing' : 'new',
    initialCluster: firstStart.initialCluster,
  };
}
