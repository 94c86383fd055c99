/*
 * Lets hosts into the cluster. A secret is guessed at ten times a minute from an address, and no more; a request is good
 * once, by its nonce. What was done for a join is undone when a later step of it fails.
 */
import type { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { Logger } from 'pino';
import { canonicalIp } from '../../model/addresses.js';
import { NameTaken, NotFound, PlaitError } from '../../model/errors.js';
import {
  changeSpec,
  createSpec,
  deleteSpec,
  getAuthority,
  getCluster,
  getExternalEtcd,
  getSpec,
  getToken,
  listSpecs,
} from '../../store/cluster.js';
import { getNode, listNodes } from '../../store/nodes.js';
import type { Store } from '../../store/store.js';
import type { Ensemble } from '../etcd/ensemble.js';
import { issue } from '../pki/authority.js';
import { readCertificate, trustedBy } from '../pki/bundle.js';
import type { Role } from '../pki/records.js';
import { roleOfSecret } from '../pki/token.js';
import type { Spec } from '../records.js';
import type { AuthorityOffer, Issued, Joined, JoinRequest } from './contract.js';
import { Nonces } from './nonces.js';
import { NotMember, NotPermitted } from './peers.js';

export interface JoinOptions {
  readonly store: Store;
  readonly log: Logger;
  readonly ensemble: Ensemble;
  readonly managers: () => Joined['managers'];
  /** Milliseconds. */
  readonly now?: () => number;
}

const NONCE_MS = 30_000;
const GUESSES = 10;
const GUESS_MS = 60_000;
/** Addresses that are remembered for their guesses. */
const GUESSERS = 4096;

class WrongSecret extends PlaitError {
  constructor() {
    super('WRONG_SECRET', 'join cluster: the token is not one of this cluster, or it was rotated', {
      hint: 'get the present one by `plait join-token` on a manager',
    });
  }
}

class Replayed extends PlaitError {
  constructor() {
    super('REPLAYED', 'join cluster: this request was made before, or more than 30 s after its hello', {
      hint: 'run `plait join` again',
    });
  }
}

class TooManyGuesses extends PlaitError {
  constructor(from: string) {
    super('TOO_MANY_GUESSES', `join cluster: ${GUESSES} wrong tokens from ${from} within a minute`, {
      hint: 'wait a minute, and get the present token by `plait join-token` on a manager',
    });
  }
}

export class AlreadyKnown extends PlaitError {
  constructor(node: string, name: string) {
    super('NODE_KNOWN', `join cluster: node ${node} is a member already, named ${name}`, {
      hint: `if that was this host: \`plait node rm --force ${name}\` on a manager; if its state was copied: \`plait leave --force\` here`,
    });
  }
}

export class Joins {
  readonly #options: JoinOptions;
  readonly #nonces: Nonces;
  /** Address → when it guessed wrong. */
  readonly #guesses = new Map<string, number[]>();

  constructor(options: JoinOptions) {
    this.#options = options;
    this.#nonces = new Nonces(NONCE_MS, options.now);
  }

  /** Good once, for 30 s. */
  nonce(): string {
    return this.#nonces.make();
  }

  /** Whom a node of this cluster trusts: nobody's secret. */
  async authority(): Promise<AuthorityOffer> {
    return { ca: trustedBy(await getAuthority(this.#options.store)) };
  }

  /** @param from address of the joiner's connection */
  async join(request: JoinRequest, from: string): Promise<Joined> {
    const { store, log } = this.#options;
    this.#checkGuesses(from);
    if (!this.#nonces.use(request.nonce)) throw new Replayed();
    const role = await this.#roleOf(request.secret, from);
    const { node, name } = request;
    const [cluster] = await Promise.all([getCluster(store), this.#refuseKnown(request)]);
    if (cluster === undefined) throw new NotFound('cluster', 'in etcd');
    const address = canonicalIp(request.address);
    const spec: Spec = {
      ...{ role, availability: 'active', labels: {}, name, address },
      joinedAt: new Date(this.#now()).toISOString(),
    };
    if (!(await createSpec(store, node, spec))) throw new AlreadyKnown(node, name);
    let isAdmitted = false;
    try {
      const issued = await this.issue(node, request.csr);
      isAdmitted = role === 'manager';
      const etcd = isAdmitted ? await this.#placeInEtcd(node, address) : {};
      log.info({ node, name, role, address, from }, 'a node has joined');
      return {
        ...issued,
        ...{ cluster: cluster.id, role, dataPathPort: cluster.dataPathPort },
        managers: this.#options.managers(),
        ...etcd,
      };
    } catch (error) {
      await this.#undo(node, address, isAdmitted);
      throw error;
    }
  }

  async #placeInEtcd(
    node: string,
    address: string,
  ): Promise<Pick<Joined, 'initialCluster' | 'externalEtcd'>> {
    const { store, ensemble } = this.#options;
    const [initialCluster, externalEtcd] = await Promise.all([
      ensemble.admit(node, address),
      getExternalEtcd(store),
    ]);
    return { ...(initialCluster && { initialCluster }), ...(externalEtcd && { externalEtcd }) };
  }

  /** A certificate for a member, in its present role. Throws NotMember, BadCertificateRequest, AuthorityExpired. */
  async issue(node: string, csr: string): Promise<Issued> {
    const { store } = this.#options;
    const [authority, cluster, spec, record] = await Promise.all([
      getAuthority(store),
      getCluster(store),
      getSpec(store, node),
      getNode(store, node),
    ]);
    if (spec === undefined || cluster === undefined) throw new NotMember(node);
    const certificate = await issue(authority, csr, {
      ...{ node, role: spec.role, cluster: cluster.id, expirySeconds: cluster.certExpirySeconds },
      addresses: [spec.address, ...(record ? [record.vtep] : [])],
    });
    return { certificate, ca: trustedBy(authority) };
  }

  /** The node has a certificate of the present CA, which it shows: what it was told to renew is renewed. */
  async confirm(node: string, certificate: X509Certificate, renewed: string): Promise<void> {
    const { store } = this.#options;
    const { certificate: ca } = await getAuthority(store);
    if (!certificate.verify(readCertificate(ca).publicKey)) {
      throw new NotPermitted('confirm renewal', `the certificate of node ${node} is not by the present CA`);
    }
    await changeSpec(store, node, (spec) => (spec.renewed === renewed ? undefined : { ...spec, renewed }));
  }

  async #roleOf(secret: string, from: string): Promise<Role> {
    const { store, log } = this.#options;
    const [worker, manager] = await Promise.all([getToken(store, 'worker'), getToken(store, 'manager')]);
    const role = roleOfSecret({ worker, manager }, secret);
    if (role !== undefined) return role;
    this.#guesses.set(from, [...this.#recentGuesses(from), this.#now()]);
    keepNewest(this.#guesses, GUESSERS);
    log.warn({ from }, 'somebody tried to join with a wrong token');
    throw new WrongSecret();
  }

  #checkGuesses(from: string): void {
    if (this.#recentGuesses(from).length >= GUESSES) throw new TooManyGuesses(from);
  }

  #recentGuesses(from: string): number[] {
    return (this.#guesses.get(from) ?? []).filter((at) => at > this.#now() - GUESS_MS);
  }

  /** One that joined, and never ran, gives way: its host has not heard that it is a member. */
  async #refuseKnown({ node, name }: JoinRequest): Promise<void> {
    const { store } = this.#options;
    const [specs, nodes] = await Promise.all([listSpecs(store), listNodes(store)]);
    const known = new Map(nodes.map((record) => [record.id, record.name]));
    const own = specs.get(node);
    if (own !== undefined && known.has(node)) throw new AlreadyKnown(node, known.get(node) ?? own.name);
    if (own?.role === 'manager') throw new AlreadyKnown(node, own.name);
    if (own !== undefined) await deleteSpec(store, node);
    for (const [other, spec] of specs) {
      if (other !== node && (known.get(other) ?? spec.name) === name)
        throw new NameTaken('node', name, `node ${other}`);
    }
  }

  async #undo(node: string, address: string, isAdmitted: boolean): Promise<void> {
    const { store, log } = this.#options;
    const undoing = [
      ...(isAdmitted ? [this.#options.ensemble.dismiss(node, address)] : []),
      deleteSpec(store, node),
    ];
    for (const step of await Promise.allSettled(undoing)) {
      if (step.status === 'rejected') log.warn({ node, err: step.reason }, 'could not undo a join');
    }
  }

  #now(): number {
    return this.#options.now?.() ?? Date.now();
  }
}

/** A Map remembers in which order its keys came. */
function keepNewest(map: Map<string, unknown>, most: number): void {
  for (const key of map.keys()) {
    if (map.size <= most) return;
    map.delete(key);
  }
}

/** IPv4 as IPv4, however the socket shows it: what guesses are counted by. */
export function remoteAddress(text: string | undefined): string {
  const plain = (text ?? '').replace(/^::ffff:/, '');
  return isIP(plain) ? canonicalIp(plain) : 'an unknown address';
}
