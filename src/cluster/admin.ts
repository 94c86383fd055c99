/*
 * What managers do with the cluster's trust and its members, for who asks a manager's agent by its socket: join tokens,
 * the certificate authority, what is said of nodes. All of it is in etcd, so any manager does it for all.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { AuthorityAnswer } from '../model/api-trust.js';
import { NotFound, PlaitError } from '../model/errors.js';
import { patience } from '../patience.js';
import { changeSpec, getAuthority, getToken, listSpecs, putToken } from '../store/cluster.js';
import { getNode, listAlive } from '../store/nodes.js';
import type { Store } from '../store/store.js';
import type { ClusterWrites, NamedNode } from '../store/writes.js';
import type { Ensemble } from './etcd/ensemble.js';
import { digestOf, readCertificate } from './pki/bundle.js';
import type { Role } from './pki/records.js';
import { deriveSecret, formatToken, newTokenRecord } from './pki/token.js';
import type { Availability, Spec } from './records.js';
import { beginRotation } from './rotation.js';

/** What `node update` changes; what is left out stays. */
export interface SpecChange {
  readonly availability?: Availability | undefined;
  readonly addLabels?: Readonly<Record<string, string>> | undefined;
  readonly removeLabels?: readonly string[] | undefined;
}

/** Of a new manager to catch up. */
const VOTE_MS = patience(60_000);
const POLL_MS = 300;

export class Admin {
  readonly #store: Store;
  readonly #writes: ClusterWrites;
  readonly #ensemble: Ensemble;

  constructor(store: Store, writes: ClusterWrites, ensemble: Ensemble) {
    this.#store = store;
    this.#writes = writes;
    this.#ensemble = ensemble;
  }

  async joinToken(role: Role): Promise<string> {
    const store = this.#store;
    const [authority, record] = await Promise.all([getAuthority(store), getToken(store, role)]);
    const secret = deriveSecret(authority.key, role, record.nonce);
    return formatToken({ digest: digestOf(authority.certificate), secret });
  }

  /** The old one is worth nothing from then on. */
  async rotateJoinToken(role: Role): Promise<string> {
    const store = this.#store;
    await putToken(store, role, newTokenRecord(await getAuthority(store), role));
    return this.joinToken(role);
  }

  async authority(): Promise<AuthorityAnswer> {
    const authority = await getAuthority(this.#store);
    const { certificate, previous } = authority;
    return {
      certificates: [certificate, ...(previous ? [previous.certificate] : [])],
      digest: digestOf(certificate),
      notAfter: new Date(readCertificate(certificate).validTo).toISOString(),
      isRotating: previous !== undefined,
    };
  }

  /** Throws RotationUnderWay. */
  async rotateAuthority(): Promise<AuthorityAnswer> {
    await beginRotation(this.#store);
    return this.authority();
  }

  specs(): Promise<Map<string, Spec>> {
    return listSpecs(this.#store);
  }

  updateNode(node: string, { availability, addLabels = {}, removeLabels = [] }: SpecChange): Promise<Spec> {
    return changeSpec(this.#store, node, (before) => {
      const labels = { ...before.labels, ...addLabels };
      for (const label of removeLabels) {
        if (!(label in labels)) throw new NotFound('label', label);
        delete labels[label];
      }
      return { ...before, labels, availability: availability ?? before.availability };
    });
  }

  /** Out of the cluster with all that is its. A node that lives leaves by itself, unless it is forced out. */
  async removeNode(node: NamedNode, force: boolean): Promise<void> {
    const store = this.#store;
    const [record, alive, specs] = await Promise.all([
      getNode(store, node.id),
      listAlive(store),
      listSpecs(store),
    ]);
    const spec = specs.get(node.id);
    if (spec?.role === 'manager' && !force) {
      throw new PlaitError('NODE_IS_MANAGER', `remove node ${node.name}: it is a manager`, {
        hint: 'demote it first, or use --force if it is lost for good',
      });
    }
    if (alive.has(node.id) && !force) {
      throw new PlaitError('NODE_ALIVE', `remove node ${node.name}: it is up`, {
        hint: 'run `plait leave` there, or use --force',
      });
    }
    if (spec?.role === 'manager') await this.#ensemble.dismiss(node.id, spec.address);
    await this.#writes.removeNode(record ?? node);
  }

  /** Throws LastManager, QuorumAtRisk. */
  async checkRemoval({ id }: NamedNode, doing: string): Promise<void> {
    const [alive, specs] = await Promise.all([listAlive(this.#store), listSpecs(this.#store)]);
    const nodes = [...specs].map(([node, { name, role }]) => ({ node, name, role, isUp: alive.has(node) }));
    await this.#ensemble.checkRemoval(doing, nodes, id);
  }

  /**
   * Promotes or demotes; resolves when the others can rely on it: a new manager has its vote. Throws NotFound, LastManager,
   * QuorumAtRisk, NotPromoted.
   */
  async setRole(node: NamedNode, role: Role): Promise<void> {
    const spec = (await listSpecs(this.#store)).get(node.id);
    if (spec === undefined) throw new NotFound('member', node.name);
    if (role === 'worker') await this.#demote(node, spec);
    else await this.#promote(node, spec);
  }

  async #promote(node: NamedNode, spec: Spec): Promise<void> {
    if (spec.role !== 'manager') {
      const initialCluster = await this.#ensemble.admit(node.id, spec.address);
      await changeSpec(this.#store, node.id, (before) => ({
        ...before,
        role: 'manager',
        ...(initialCluster && { initialCluster }),
      }));
    }
    for (const end = Date.now() + VOTE_MS; Date.now() < end; await sleep(POLL_MS)) {
      if (await this.#ensemble.counts(node.id).catch(() => false)) return;
    }
    throw new PlaitError(
      'NOT_PROMOTED',
      `promote node ${node.name}: it has no vote in etcd within ${VOTE_MS / 1000} s`,
      {
        hint: `see the log of its agent, and that TCP 2380 of ${spec.address} can be reached; it goes on trying`,
      },
    );
  }

  async #demote(node: NamedNode, spec: Spec): Promise<void> {
    if (spec.role === 'worker') return;
    await this.checkRemoval(node, `demote node ${node.name}`);
    await changeSpec(this.#store, node.id, ({ initialCluster: _, ...before }) => ({
      ...before,
      role: 'worker',
    }));
    await this.#ensemble.dismiss(node.id, spec.address);
  }
}
