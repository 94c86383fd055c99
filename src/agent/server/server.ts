/* The HTTP server on the unix socket: who may open it, what failures look like. The routes are beside it. */
import { chmod, chown } from 'node:fs/promises';
import type { Socket } from 'node:net';
import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import type { Logger } from 'pino';
import { describeFailure } from '../../http/failures.js';
import { listenOn } from '../../http/unix-socket.js';
import { PlaitError } from '../../model/errors.js';
import { run } from '../../net/run.js';

/** 10,000 declared endpoints with labels are about 3 MB. */
const bodyLimit = 32 * 1024 * 1024;
/** For a client to say all it has to say. */
const requestTimeoutMs = 30_000;
/** Longer than any request that waits for etcd. */
const closeMs = 10_000;

export interface ApiServer {
  close(): Promise<void>;
}

/**
 * Serves `routes` on the socket: root's alone, mode 0600, or that of a group as well, mode 0660. A socket that nobody answers
 * on is replaced.
 * @param group name of a group of this host
 */
export async function serve(
  socket: string,
  log: Logger,
  routes: (server: FastifyInstance) => void,
  group?: string,
): Promise<ApiServer> {
  const gid = group === undefined ? undefined : await groupId(group);
  const server = Fastify({
    bodyLimit,
    requestTimeout: requestTimeoutMs,
    // What is under way is answered before the agent ends; streams end by themselves then (routes.ts).
    forceCloseConnections: 'idle',
    // A name has up to 253 characters, each of them three when escaped.
    routerOptions: { maxParamLength: 1024 },
    clientErrorHandler: (error, connection) => refuseNonsense(error, connection),
    frameworkErrors: (error, _request, reply) => {
      const { status, body } = describeFailure(error);
      const answer = reply as FastifyReply;
      void answer.status(status).send(body);
    },
  });
  server.setErrorHandler((error, request, reply) => {
    const failure = describeFailure(error);
    const context = { method: request.method, url: request.url, err: error };
    if (failure.status >= 500 && failure.body.error.code === 'INTERNAL') log.error(context, 'request failed');
    else log.debug(context, 'request refused');
    return reply.status(failure.status).send(failure.body);
  });
  server.setNotFoundHandler((request, reply) =>
    reply.status(404).send({
      error: { code: 'NOT_FOUND', message: `find ${request.method} ${request.url}: no such request` },
    }),
  );
  routes(server);
  await listenOn(server, socket);
  await chmod(socket, gid === undefined ? 0o600 : 0o660);
  if (gid !== undefined) await chown(socket, 0, gid);
  return { close: () => closeInTime(server) };
}

async function groupId(name: string): Promise<number> {
  const entry = await run('getent', ['group', name], { doing: `find group ${name}`, partial: true });
  const id = entry.split(':')[2];
  if (id !== undefined) return Number(id);
  throw new PlaitError('NO_GROUP', `open the API to group ${name}: this host has no such group`, {
    hint: `\`groupadd --system ${name}\`, or leave out --socket-group`,
  });
}

/** What is not HTTP: nobody's request, and answered in the one form all the same. */
function refuseNonsense(error: Error, connection: Socket): void {
  const body = JSON.stringify({
    error: { code: 'INVALID_INPUT', message: `read request: ${error.message}` },
  });
  const head = ['HTTP/1.1 400 Bad Request', 'content-type: application/json', 'connection: close'];
  if (connection.writable) connection.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  else connection.destroy();
}

/** A client that does not take its answer holds up no end. */
async function closeInTime(server: FastifyInstance): Promise<void> {
  const timer = setTimeout(() => server.server.closeAllConnections(), closeMs);
  await server.close().finally(() => clearTimeout(timer));
}
