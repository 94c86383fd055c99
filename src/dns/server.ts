/*
 * The name server of one network namespace: UDP and TCP on sockets that are bound inside it. Answers what the zone
 * knows at once, hands the rest to the forwarder. Nothing that a client sends or does may end more than its own
 * connection. A flood delays its own namespace most: libuv reads 32 datagrams of a socket, then the others' turn comes.
 */
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { Logger } from 'pino';
import type { Forwarder } from './forwarder.js';
import { answerReply, emptyReply, parseQuery, type Query, type Transport } from './message.js';
import { MessageReader, writeMessage } from './stream.js';
import type { Verdict } from './zone.js';

/** TCP connections at once; more are closed when they open. */
const MAX_CONNECTIONS = 32;
/** A connection that says nothing for so long is closed, in milliseconds (RFC 7766 §6.2.3). */
const IDLE_TIMEOUT = 10_000;
/** Forwarded questions at once, so that one container does not take every place in the forwarder. */
const MAX_FORWARDED = 128;
/** Unread replies after which a connection is closed, in bytes: somebody asks and does not listen. */
const MAX_UNREAD = 1 << 20;

/** Where to listen: a socket that exists, or an address. */
export type Binding = { readonly fd: number } | { readonly address: string; readonly port: number };

export interface DnsServerOptions {
  /** What the zone says to a question. Called for every one, so that changes count at once. */
  readonly resolve: (question: Query['question']) => Verdict;
  readonly forwarder: Forwarder;
  readonly log: Logger;
}

export interface DnsCounters {
  queries: number;
  /** By us, NXDOMAIN included. */
  answered: number;
  forwarded: number;
  /** Malformed, not supported, or over a limit. */
  refused: number;
}

export class DnsServer {
  readonly counters: DnsCounters = { queries: 0, answered: 0, forwarded: 0, refused: 0 };
  readonly #options: DnsServerOptions;
  readonly #udp: UdpSocket = createSocket('udp4');
  readonly #tcp: Server = createServer();
  readonly #connections = new Set<Socket>();
  #forwarding = 0;
  #closed = false;

  constructor(options: DnsServerOptions) {
    this.#options = options;
    this.#tcp.maxConnections = MAX_CONNECTIONS;
    this.#tcp.on('connection', (socket) => this.#serveConnection(socket));
    this.#udp.on('message', (wire, from) => void this.#serveDatagram(wire, from));
  }

  /** Takes over what it is given: the sockets are closed by `close`, and when this rejects. */
  async listen(udp: Binding, tcp: Binding): Promise<void> {
    try {
      const listening = [once(this.#udp, 'listening'), once(this.#tcp, 'listening')];
      this.#udp.bind(udp);
      this.#tcp.listen('fd' in tcp ? tcp : { host: tcp.address, port: tcp.port });
      await Promise.all(listening);
    } catch (error) {
      await this.close();
      throw error;
    }
    // From here on an error is about one datagram or one accept (no memory, no file descriptor): the next may work.
    this.#udp.on('error', () => {});
    this.#tcp.on('error', () => {});
  }

  /** Ports in use, for who listens on port 0. */
  get ports(): { udp: number; tcp: number } {
    const tcp = this.#tcp.address();
    return { udp: this.#udp.address().port, tcp: tcp !== null && typeof tcp === 'object' ? tcp.port : 0 };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const socket of this.#connections) socket.destroy();
    await Promise.all([
      new Promise((closed) => this.#udp.close(() => closed(undefined))),
      new Promise((closed) => this.#tcp.close(closed)),
    ]);
  }

  async #serveDatagram(wire: Buffer, from: RemoteInfo): Promise<void> {
    // Port 0 can be sent from, with a raw socket, but not to.
    if (from.port === 0) return;
    const reply = await this.#reply(wire, 'udp');
    if (reply && !this.#closed) this.#udp.send(reply, from.port, from.address, () => {});
  }

  #serveConnection(socket: Socket): void {
    this.#connections.add(socket);
    const reader = new MessageReader((message) => void this.#serveMessage(socket, message));
    socket.setTimeout(IDLE_TIMEOUT, () => socket.destroy());
    socket.on('data', (bytes) => reader.push(bytes));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#connections.delete(socket));
  }

  /** Replies go out as they are ready, in any order (RFC 7766 §6.2.1.1). */
  async #serveMessage(socket: Socket, wire: Buffer): Promise<void> {
    const reply = await this.#reply(wire, 'tcp');
    if (!reply || socket.destroyed || !socket.writable) return;
    if (socket.writableLength > MAX_UNREAD) socket.destroy();
    else writeMessage(socket, reply);
  }

  async #reply(wire: Buffer, transport: Transport): Promise<Buffer | undefined> {
    const parsed = parseQuery(wire);
    if (parsed.kind === 'ignore') return undefined;
    this.counters.queries++;
    if (parsed.kind === 'query') return this.#answer(parsed.query, transport);
    this.counters.refused++;
    return parsed.reply;
  }

  #answer(query: Query, transport: Transport): Buffer | Promise<Buffer> {
    const { question, edns } = query;
    if (edns && edns.version > 0) return this.#refuse(query, 'BADVERS');
    // Zone transfers, and classes in which nobody has anything.
    if (question.type === 'AXFR' || question.type === 'IXFR' || question.class !== 'IN') {
      return this.#refuse(query, 'REFUSED');
    }
    const verdict = this.#resolve(question);
    if (verdict.kind === 'forward') return this.#forward(query, transport);
    this.counters.answered++;
    if (verdict.kind === 'answer') return answerReply(query, verdict.records, transport);
    if (verdict.kind === 'unknown') return emptyReply(query, 'SERVFAIL');
    return emptyReply(query, verdict.kind === 'empty' ? 'NOERROR' : 'NXDOMAIN');
  }

  #resolve(question: Query['question']): Verdict {
    try {
      return this.#options.resolve(question);
    } catch (error) {
      this.#options.log.error({ err: error, name: question.name, type: question.type }, 'resolve name');
      return { kind: 'unknown' };
    }
  }

  async #forward(query: Query, transport: Transport): Promise<Buffer> {
    if (this.#forwarding >= MAX_FORWARDED) return this.#refuse(query, 'SERVFAIL');
    this.counters.forwarded++;
    this.#forwarding++;
    try {
      return await this.#options.forwarder.forward(query, transport);
    } finally {
      this.#forwarding--;
    }
  }

  #refuse(query: Query, rcode: 'BADVERS' | 'REFUSED' | 'SERVFAIL'): Buffer {
    this.counters.refused++;
    return emptyReply(query, rcode);
  }
}
