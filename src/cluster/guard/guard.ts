/*
 * In front of etcd: takes members' calls from TCP 2377, and makes those that they may make, as this manager. A manager's
 * pass as they are; a worker's are read, judged, and written anew, so that etcd gets nothing that was not judged.
 *
 * Each worker has a connection to etcd of its own: one that does not read what it asked for holds up nobody else.
 */
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Logger } from 'pino';
import type { Connection } from '../../store/store.js';
import type { Peer } from '../manager/peers.js';
import { type Call, WORKER_CALLS } from './calls.js';
import { BadFrame, Frames, frame } from './messages.js';
import { OwnLeases } from './own-leases.js';
import { endCall, INVALID_ARGUMENT, PERMISSION_DENIED, UNAVAILABLE } from './status.js';

export interface GuardOptions {
  /** The etcd behind it; of several members, one after the other as they fail. */
  readonly upstream: Connection;
  /** The lease of a node's sign of life, decimal; undefined where it has none. */
  readonly aliveLease: (node: string) => Promise<string | undefined>;
  readonly log: Logger;
}

const MESSAGE_LIMIT = 2 * 1024 * 1024;
const LOGGED_MS = 1000;

const { HTTP2_HEADER_STATUS, NGHTTP2_CANCEL } = constants;
/** Of a call to etcd; what else a member sends with it is its own business. */
const PASSED = ['content-type', 'te', 'grpc-timeout', 'user-agent'];

export class Guard {
  readonly #options: GuardOptions;
  readonly #sessions = new Map<string, ClientHttp2Session>();
  readonly #leases: OwnLeases;
  #upstream: Connection;
  /** Number of the member that is asked. */
  #current = 0;
  #logged = 0;

  constructor(options: GuardOptions) {
    this.#options = options;
    this.#upstream = options.upstream;
    this.#leases = new OwnLeases(options.aliveLease);
  }

  /** From here on etcd is asked so. */
  reconfigure(upstream: Connection): void {
    this.#upstream = upstream;
    for (const session of this.#sessions.values()) session.close();
    this.#sessions.clear();
  }

  close(): void {
    for (const session of this.#sessions.values()) session.destroy();
    this.#sessions.clear();
  }

  /** Takes a call of gRPC; never throws. */
  handle(stream: ServerHttp2Stream, path: string, peer: Peer, headers: IncomingHttpHeaders): void {
    const call = peer.role === 'manager' ? undefined : WORKER_CALLS.get(path);
    if (peer.role === 'worker' && call === undefined) {
      this.#refuse(stream, peer, path, 'workers do not make this call');
      return;
    }
    const passed = Object.fromEntries(
      PASSED.flatMap((name) => (headers[name] ? [[name, headers[name]]] : [])),
    );
    let upstream: ClientHttp2Stream;
    try {
      upstream = this.#session(peer).request({ ':method': 'POST', ':path': path, ...passed });
    } catch (error) {
      endCall(stream, UNAVAILABLE, `ask etcd: ${error instanceof Error ? error.message : error}`);
      return;
    }
    stream.once('close', () => upstream.close(NGHTTP2_CANCEL));
    answer(
      stream,
      upstream,
      call?.grants && ((bytes) => this.#leases.grant(peer.node, call.grants?.(bytes) ?? '')),
    );
    if (call === undefined) stream.pipe(upstream);
    else void this.#judgeAll(stream, upstream, path, peer, call);
  }

  async #judgeAll(
    stream: ServerHttp2Stream,
    upstream: ClientHttp2Stream,
    path: string,
    peer: Peer,
    call: Call,
  ): Promise<void> {
    const frames = new Frames(MESSAGE_LIMIT);
    const asker = { node: peer.node, ownsLease: (lease: string) => this.#leases.owns(peer.node, lease) };
    try {
      // Leaving the loop must leave the stream: it has an answer yet.
      for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
        for (const message of frames.take(chunk as Buffer)) {
          const { verdict, bytes } = await call.judge(message, asker);
          if (verdict !== undefined) {
            this.#refuse(stream, peer, path, verdict);
            upstream.close(NGHTTP2_CANCEL);
            return;
          }
          if (!upstream.write(frame(bytes))) await drained(upstream);
        }
      }
      if (frames.isEmpty) upstream.end();
      else upstream.close(NGHTTP2_CANCEL);
    } catch (error) {
      upstream.close(NGHTTP2_CANCEL);
      if (stream.destroyed) return;
      const reason = error instanceof BadFrame ? error.message : 'it cannot be read';
      endCall(stream, INVALID_ARGUMENT, `read ${path}: ${reason}`);
    }
  }

  #session({ node }: Peer): ClientHttp2Session {
    const known = this.#sessions.get(node);
    if (known !== undefined && !known.closed && !known.destroyed) return known;
    const { endpoints, tls } = this.#upstream;
    const url = endpoints[this.#current % endpoints.length] ?? '';
    const session = connect(url, tls && { ca: tls.ca, cert: tls.cert, key: tls.key });
    session.on('error', () => {
      this.#current += 1; // the streams tell
    });
    session.on('close', () => {
      if (this.#sessions.get(node) === session) this.#sessions.delete(node);
    });
    session.unref();
    this.#sessions.set(node, session);
    return session;
  }

  #refuse(stream: ServerHttp2Stream, { node }: Peer, path: string, reason: string): void {
    endCall(stream, PERMISSION_DENIED, `${path.slice(1)}: node ${node} is a worker: ${reason}`);
    if (performance.now() - this.#logged < LOGGED_MS) return;
    this.#logged = performance.now();
    this.#options.log.warn({ node, call: path, reason }, 'a worker asked etcd for what it may not have');
  }
}

/** What etcd answers, as it comes, with its trailers; `onMessage` gets each message of it, too. */
function answer(
  stream: ServerHttp2Stream,
  upstream: ClientHttp2Stream,
  onMessage: ((bytes: Uint8Array) => void) | undefined,
): void {
  const frames = new Frames(MESSAGE_LIMIT);
  let trailers: Record<string, string> | undefined;
  upstream.on('response', (headers, flags) => {
    if (stream.headersSent || stream.destroyed) return;
    const isLast = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    stream.respond(plain(headers, true), { waitForTrailers: !isLast, endStream: isLast });
    if (isLast) return;
    stream.once('wantTrailers', () => {
      stream.sendTrailers(
        trailers ?? { 'grpc-status': `${UNAVAILABLE}`, 'grpc-message': 'etcd has gone away' },
      );
    });
    if (onMessage) upstream.on('data', (chunk: Buffer) => [...frames.take(chunk)].forEach(onMessage));
    upstream.pipe(stream);
  });
  upstream.on('trailers', (headers) => {
    trailers = plain(headers, false);
  });
  upstream.on('error', (error) => endCall(stream, UNAVAILABLE, `ask etcd: ${error.message}`));
  upstream.on('close', () => endCall(stream, UNAVAILABLE, 'ask etcd: it has gone away'));
}

function plain(headers: IncomingHttpHeaders, withStatus: boolean): Record<string, string> {
  const entries = Object.entries(headers).filter(
    ([name, value]) => typeof value === 'string' && !name.startsWith(':'),
  ) as [string, string][];
  const status = withStatus ? { [HTTP2_HEADER_STATUS]: `${headers[HTTP2_HEADER_STATUS] ?? 200}` } : {};
  return { ...status, ...Object.fromEntries(entries) };
}

function drained(stream: ClientHttp2Stream): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off('drain', done);
      stream.off('close', done);
      resolve();
    };
    stream.once('drain', done);
    stream.once('close', done);
  });
}
