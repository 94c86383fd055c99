/* The HTTP server on the unix socket: who may open it, what failures look like. The routes are beside it. */
import { chmod, mkdir, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import Fastify, { type FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { PlaitError } from '../../model/errors.js';
import { describeFailure } from './errors.js';

/** 10,000 declared endpoints with labels are about 3 MB. */
const bodyLimit = 32 * 1024 * 1024;

export interface ApiServer {
  close(): Promise<void>;
}

/** Serves `routes` on the socket, mode 0600. A socket that nobody answers on is replaced. */
export async function serve(
  socket: string,
  log: Logger,
  routes: (server: FastifyInstance) => void,
): Promise<ApiServer> {
  const server = Fastify({ bodyLimit, forceCloseConnections: true });
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
  await mkdir(dirname(socket), { recursive: true, mode: 0o755 });
  await removeStale(socket);
  const umask = process.umask(0o177);
  try {
    await server.listen({ path: socket });
  } finally {
    process.umask(umask);
  }
  await chmod(socket, 0o600);
  return { close: () => server.close() };
}

async function removeStale(socket: string): Promise<void> {
  if (await answers(socket)) {
    throw new PlaitError('SOCKET_IN_USE', `listen on ${socket}: somebody answers there already`, {
      hint: 'stop the other agent, or use another --root',
    });
  }
  await unlink(socket).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
}

function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(socket);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
}
