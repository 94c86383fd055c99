/*
 * Questions that are not ours go to the host's resolvers, byte for byte and from the agent's own namespace: what the
 * host can resolve, its containers can. In Docker's containers they go to Docker's resolver in there. Bounded, since a container must not be able to use up the agent's sockets.
 */
import type { Query, Rcode, Transport } from './message.js';
import { emptyReply, rcodes, replyCode } from './message.js';
import { ask, type Upstream } from './upstream.js';

/** In milliseconds, per upstream. With two of them a client's usual 5 s are not over yet. */
const UPSTREAM_TIMEOUT = 2000;
/** Exchanges at once, for all namespaces. Each holds a socket. */
const MAX_IN_FLIGHT = 512;
const DNS_PORT = 53;

export interface ForwarderOptions {
  /** Addresses to ask, in order; asked for at every question. */
  readonly servers: () => Promise<readonly string[]>;
  readonly port?: number;
  /** In milliseconds, per upstream. */
  readonly timeoutMs?: number;
  readonly from?: Upstream['from'];
}

export class Forwarder {
  readonly #servers: () => Promise<readonly string[]>;
  readonly #port: number;
  readonly #timeoutMs: number;
  readonly #from: Upstream['from'];
  readonly #closed = new AbortController();
  /** The one that answered last: with a dead first one not every question waits for it. */
  #preferred: string | undefined;
  #inFlight = 0;

  constructor({ servers, port = DNS_PORT, timeoutMs = UPSTREAM_TIMEOUT, from }: ForwarderOptions) {
    this.#servers = servers;
    this.#port = port;
    this.#timeoutMs = timeoutMs;
    this.#from = from;
  }

  /** The upstreams' reply, or SERVFAIL if none gave one. Never rejects. */
  async forward(query: Query, transport: Transport): Promise<Buffer> {
    if (this.#inFlight >= MAX_IN_FLIGHT) return emptyReply(query, 'SERVFAIL');
    this.#inFlight++;
    try {
      return (await this.#askInTurn(query, transport)) ?? emptyReply(query, 'SERVFAIL');
    } finally {
      this.#inFlight--;
    }
  }

  close(): void {
    this.#closed.abort();
  }

  async #askInTurn(query: Query, transport: Transport): Promise<Buffer | undefined> {
    let last: Buffer | undefined;
    for (const upstream of await this.#upstreams()) {
      const reply = await ask(upstream, query, transport, this.#timeoutMs, this.#closed.signal);
      if (!reply) continue;
      last = reply;
      if (isRefusal(reply)) continue;
      this.#preferred = upstream.address;
      return reply;
    }
    return last;
  }

  async #upstreams(): Promise<Upstream[]> {
    const servers = await this.#servers();
    const first = servers.filter((address) => address === this.#preferred);
    const rest = servers.filter((address) => address !== this.#preferred);
    return [...first, ...rest].map((address) => ({ address, port: this.#port, from: this.#from }));
  }
}

/** A server that cannot or will not answer this; the next one may. */
function isRefusal(reply: Buffer): boolean {
  const refusals: Rcode[] = ['SERVFAIL', 'NOTIMP', 'REFUSED'];
  return refusals.some((rcode) => rcodes[rcode] === replyCode(reply));
}
