/*
 * A name server for every network namespace that has an endpoint, at 127.0.0.11:53 (Docker's place, so that images
 * and tools that know it find it). A namespace on two networks has one server that knows both.
 *
 * Docker has a resolver of its own at that place of its containers. There ours is at another port, is asked instead
 * (docker-place.ts), and hands on all that it does not know.
 *
 * Sockets belong to the namespace they were made in, not to the process's: the agent stays where it is, and needs no
 * thread or process per namespace. An open socket also keeps its namespace alive; whoever sees a namespace's path
 * vanish must release it.
 */
import { closeSync } from 'node:fs';
import { socketInNamespace } from 'libbpf-ts-bindings';
import type { Logger } from 'pino';
import { AGENT_PORT, FORWARDER_ADDRESS } from './docker-place.js';
import { DnsBindError } from './errors.js';
import { Forwarder } from './forwarder.js';
import type { Question } from './message.js';
import { ResolvConf } from './resolv-conf.js';
import { type DnsCounters, DnsServer } from './server.js';
import { resolve, type Verdict, type ZoneView } from './zone.js';

export const DNS_ADDRESS = '127.0.0.11';
export const DNS_PORT = 53;

/** It asks up to three servers of its own in turn, 4 s each. */
const DOCKER_MS = 10_000;

export interface Namespace {
  /** Which namespace it is, whatever it is called. */
  readonly inode: number;
  readonly path: string;
  /** A container of Docker's. */
  readonly hasDocker?: boolean;
}

export interface DnsServersOptions {
  /** Read at every question, and the only thing read: names go on being answered without etcd. */
  readonly view: ZoneView;
  readonly log: Logger;
  /** Names the resolvers that get what is not ours. */
  readonly resolvConf?: string;
}

interface Served {
  server: Promise<DnsServer>;
  /** In order of attachment. */
  networks: readonly string[];
}

export class DnsServers {
  readonly #view: ZoneView;
  readonly #log: Logger;
  readonly #forwarder: Forwarder;
  readonly #served = new Map<number, Served>();
  /** Counters of servers that are gone. */
  readonly #past: DnsCounters = { queries: 0, answered: 0, forwarded: 0, refused: 0 };
  readonly #running = new Map<number, DnsServer>();

  constructor({ view, log, resolvConf = '/etc/resolv.conf' }: DnsServersOptions) {
    const conf = new ResolvConf(resolvConf);
    this.#view = view;
    this.#log = log;
    this.#forwarder = new Forwarder({ servers: () => conf.servers() });
  }

  /**
   * Serves a namespace the names of these networks. Called again with another list, it changes what is served, at
   * once and without an interruption. Names are answered as soon as the namespace's `lo` is up.
   *
   * @param networks ids, in order of attachment
   * @throws DnsBindError
   */
  async ensure(namespace: Namespace, networks: readonly string[]): Promise<void> {
    const known = this.#served.get(namespace.inode);
    if (known) {
      known.networks = networks;
      await known.server;
      return;
    }
    const served: Served = { networks, server: this.#start(namespace) };
    this.#served.set(namespace.inode, served);
    try {
      await served.server;
    } catch (error) {
      if (this.#served.get(namespace.inode) === served) this.#served.delete(namespace.inode);
      throw error;
    }
  }

  /** Ends what `ensure` began; fine for a namespace that is not served. */
  async release(inode: number): Promise<void> {
    const served = this.#served.get(inode);
    if (!served) return;
    this.#served.delete(inode);
    const server = await served.server.catch(() => undefined);
    if (!server) return;
    if (this.#running.get(inode) === server) this.#running.delete(inode);
    await server.close();
    addTo(this.#past, server.counters);
  }

  stats(): DnsCounters & { namespaces: number } {
    const total = { ...this.#past, namespaces: this.#served.size };
    for (const { counters } of this.#running.values()) addTo(total, counters);
    return total;
  }

  async close(): Promise<void> {
    this.#forwarder.close();
    await Promise.all([...this.#served.keys()].map((inode) => this.release(inode)));
  }

  async #start({ inode, path, hasDocker = false }: Namespace): Promise<DnsServer> {
    const verdict = (question: Question): Verdict =>
      resolve(question, this.#view, this.#served.get(inode)?.networks ?? []);
    const server = new DnsServer({
      forwarder: hasDocker ? toDocker(path) : this.#forwarder,
      log: this.#log,
      resolve: hasDocker ? (question) => unlessDockerKnows(verdict(question)) : verdict,
    });
    try {
      await server.listen(...openSockets(path, hasDocker ? AGENT_PORT : DNS_PORT));
    } catch (error) {
      throw new DnsBindError(path, error);
    }
    this.#running.set(inode, server);
    this.#log.debug({ netns: path }, 'answering names');
    return server;
  }
}

function toDocker(netns: string): Forwarder {
  const from = { netns, address: FORWARDER_ADDRESS };
  return new Forwarder({ servers: async () => [DNS_ADDRESS], from, timeoutMs: DOCKER_MS });
}

/** Of names that are not the cluster's, Docker says what there is. */
function unlessDockerKnows(verdict: Verdict): Verdict {
  return verdict.kind === 'absent' || verdict.kind === 'unknown' ? { kind: 'forward' } : verdict;
}

function openSockets(netns: string, port: number): [{ fd: number }, { fd: number }] {
  const open = (type: 'udp' | 'tcp') => socketInNamespace({ netns, type, address: DNS_ADDRESS, port });
  const udp = open('udp');
  try {
    return [{ fd: udp }, { fd: open('tcp') }];
  } catch (error) {
    closeSync(udp);
    throw error;
  }
}

function addTo(total: DnsCounters, more: DnsCounters): void {
  total.queries += more.queries;
  total.answered += more.answered;
  total.forwarded += more.forwarded;
  total.refused += more.refused;
}
