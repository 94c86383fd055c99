/*
 * TCP 2377 of a manager: one TLS listener for joiners, workers and other managers. JSON is answered here; calls of gRPC are
 * etcd's protocol, and go to the guard (cluster/guard), after the same look at who asks.
 */
import {
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { describeFailure, parseRequest } from '../../http/failures.js';
import { PlaitError } from '../../model/errors.js';
import type { Credentials } from '../credentials.js';
import { endCall, PERMISSION_DENIED, UNAVAILABLE } from '../guard/status.js';
import {
  joinSchema,
  movedSchema,
  renewedSchema,
  renewSchema,
  type WriteName,
  writeSchemas,
} from './contract.js';
import { type Joins, remoteAddress } from './joins.js';
import { type Members, NotMember, type Peer, peerOf } from './peers.js';

export interface ManagerServerOptions extends Members {
  /** IP address to listen on. */
  readonly address: string;
  /** TCP; 0: one that is free. */
  readonly port: number;
  readonly credentials: Credentials;
  readonly joins: Joins;
  readonly managers: () => readonly { node: string | null; api: string }[];
  readonly writes: Readonly<Record<WriteName, (peer: Peer, body: unknown) => Promise<unknown>>>;
  /** A member is at another address. */
  readonly move: (node: string, address: string) => Promise<void>;
  /** Takes calls of gRPC from members. */
  readonly grpc: (stream: ServerHttp2Stream, path: string, peer: Peer, headers: IncomingHttpHeaders) => void;
  readonly log: Logger;
}

export interface ManagerServer {
  readonly port: number;
  /** New connections are answered with these. */
  renew(credentials: Credentials): void;
  /** Ends the connections of a node that is no member any more, or has another role. */
  sever(node: string): void;
  close(): Promise<void>;
}

/** 128 endpoints with labels, or the removal of thousands. */
const BODY_LIMIT = 4 * 1024 * 1024;
const REQUEST_MS = 30_000;
const HANDSHAKE_MS = 10_000;
/** For who connects to say who it is, or to have joined. */
const STRANGER_MS = 120_000;
const CONNECTIONS = 4096;
/** A worker has one connection, with a stream for each network that it follows, and a few calls. */
const STREAMS = 8192;

type Handler = (request: Http2ServerRequest, response: Http2ServerResponse) => void;

/** Rejects when it cannot listen. */
export async function serveManager(options: ManagerServerOptions): Promise<ManagerServer> {
  const { address, port, log } = options;
  const connections = new Map<string, Connection>();
  const tls = createSecureServer({
    ...contextOf(options.credentials),
    ...{ allowHTTP1: true, requestCert: true, rejectUnauthorized: false, minVersion: 'TLSv1.3' },
    ...{ handshakeTimeout: HANDSHAKE_MS, settings: { maxConcurrentStreams: STREAMS } },
  });
  tls.maxConnections = CONNECTIONS;
  tls.on('secureConnection', (socket: TLSSocket) => {
    const key = endsOf(socket);
    const connection: Connection = { socket, node: undefined };
    connections.set(key, connection);
    const stranger = setTimeout(() => {
      if (connection.node === undefined) socket.destroy();
    }, STRANGER_MS);
    socket.once('close', () => {
      clearTimeout(stranger);
      if (connections.get(key) === connection) connections.delete(key);
    });
    socket.on('error', () => undefined); // it has gone, and whoever it was will ask again
  });
  tls.on('sessionError', (error) => log.debug({ err: error }, 'a connection broke'));
  const identify = (socket: TLSSocket): Peer => {
    const peer = peerOf(socket, options);
    const connection = connections.get(endsOf(socket));
    if (connection) connection.node = peer.node;
    return peer;
  };
  const app = application(options, tls, identify);
  await app.listen({ host: address, port }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE' && error.code !== 'EADDRNOTAVAIL') throw error;
    const reason =
      error.code === 'EADDRINUSE' ? 'somebody listens there already' : 'this host has no such address';
    throw new PlaitError('PORT_TAKEN', `listen on ${address} port ${port}: ${reason}`, {
      hint: `see \`ss -ltnp sport = :${port}\`; another address: --listen-addr`,
    });
  });
  const end = (keep: (node: string | undefined) => boolean): void => {
    for (const { socket, node } of connections.values()) if (!keep(node)) socket.destroy();
  };
  return {
    port: (tls.address() as AddressInfo).port,
    renew: (credentials) => tls.setSecureContext(contextOf(credentials)),
    sever: (node) => end((other) => other !== node),
    async close() {
      const closing = app.close();
      end(() => false);
      await closing;
    },
  };
}

function contextOf({ ca, certificate, key }: Credentials): { ca: string; cert: string; key: string } {
  return { ca, cert: certificate, key };
}

interface Connection {
  readonly socket: TLSSocket;
  /** Whose it is, once that is known. */
  node: string | undefined;
}

/** What a connection is known by: of one of HTTP/2, requests show a stand-in of the socket. */
function endsOf({ remoteAddress, remotePort }: TLSSocket): string {
  return `${remoteAddress} ${remotePort}`;
}

function application(
  options: ManagerServerOptions,
  tls: Http2SecureServer,
  identify: (socket: TLSSocket) => Peer,
): FastifyInstance {
  const { log } = options;
  const serverFactory = (handler: Handler): Http2SecureServer =>
    tls.on('request', (request, response) => {
      if (!isGrpc(request)) return handler(request, response);
      return toGuard(request, identify, options.grpc);
    });
  const app = Fastify({
    bodyLimit: BODY_LIMIT,
    requestTimeout: REQUEST_MS,
    http2: true,
    serverFactory: serverFactory as never,
  }) as unknown as FastifyInstance;
  app.setErrorHandler((error, request, reply) => {
    const { status, body } = describeFailure(error);
    const context = { from: request.ip, method: request.method, url: request.url, err: error };
    if (body.error.code === 'INTERNAL') log.error(context, 'request of another node failed');
    else log.debug(context, 'request of another node refused');
    return reply.status(status).send(body);
  });
  app.setNotFoundHandler((request, reply) => {
    const message = `find ${request.method} ${request.url}: no such request`;
    return reply.status(404).send({ error: { code: 'NOT_FOUND', message } });
  });
  addRoutes(app, options, (request) => identify(request.raw.socket as TLSSocket));
  return app;
}

function addRoutes(
  server: FastifyInstance,
  { joins, managers, writes, cluster, move }: ManagerServerOptions,
  identify: (request: FastifyRequest) => Peer,
): void {
  server.get('/v1/ca', async () => joins.authority());
  server.get('/v1/hello', async () => ({
    cluster,
    time: new Date().toISOString(),
    nonce: joins.nonce(),
  }));
  server.post('/v1/join', (request) =>
    joins.join(
      parseRequest(joinSchema, request.body, 'join cluster'),
      remoteAddress(request.raw.socket.remoteAddress),
    ),
  );
  server.post('/v1/renew', async (request) => {
    const { node } = identify(request);
    return joins.issue(node, parseRequest(renewSchema, request.body, 'renew certificate').csr);
  });
  server.post('/v1/renewed', async (request) => {
    const { node } = identify(request);
    const certificate = (request.raw.socket as TLSSocket).getPeerX509Certificate();
    if (certificate === undefined) throw new NotMember(node);
    await joins.confirm(
      node,
      certificate,
      parseRequest(renewedSchema, request.body, 'confirm renewal').renewed,
    );
    return {};
  });
  server.post('/v1/address', async (request) => {
    const { node } = identify(request);
    await move(node, parseRequest(movedSchema, request.body, 'move node').address);
    return {};
  });
  server.get('/v1/managers', async (request) => {
    identify(request);
    return managers();
  });
  for (const name of Object.keys(writeSchemas) as WriteName[]) {
    server.post(`/v1/writes/${name}`, async (request) => {
      const answer = await writes[name](identify(request), request.body);
      return { answer: answer ?? null };
    });
  }
}

function isGrpc(request: Http2ServerRequest): boolean {
  return (
    request.httpVersionMajor === 2 && (request.headers['content-type'] ?? '').startsWith('application/grpc')
  );
}

function toGuard(
  request: Http2ServerRequest,
  identify: (socket: TLSSocket) => Peer,
  grpc: ManagerServerOptions['grpc'],
): void {
  const { stream } = request;
  stream.on('error', () => undefined);
  // Node's imitation of HTTP/1, which this request came by, would send trailers of its own.
  stream.removeAllListeners('wantTrailers');
  try {
    grpc(stream, request.url, identify(request.socket as TLSSocket), request.headers);
  } catch (error) {
    refuse(stream, error);
  }
}

function refuse(stream: ServerHttp2Stream, error: unknown): void {
  const isPlain = error instanceof PlaitError;
  const message = isPlain ? [error.message, error.hint].filter(Boolean).join('; ') : 'the manager failed';
  const status = isPlain && !error.isTransient ? PERMISSION_DENIED : UNAVAILABLE;
  endCall(stream, status, message);
}
