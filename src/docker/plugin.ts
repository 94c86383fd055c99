/*
 * Docker's plugin protocol on a unix socket: POST /<Interface>.<Method>, JSON without a Content-Type. What goes wrong is an
 * answer of status 200 with the reason, under both names that Docker reads it by. Docker waits for ever, holding locks
 * of the network, so no answer takes longer than ANSWER_MS.
 */
import Fastify, { type FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { describeFailure } from '../http/failures.js';
import { listenOn } from '../http/unix-socket.js';
import { InvalidInput, PlaitError } from '../model/errors.js';
import { patience } from '../patience.js';

/** Where dockerd looks for a driver called `plait`. */
export const PLUGIN_SOCKET = '/run/docker/plugins/plait.sock';

const CONTENT_TYPE = 'application/vnd.docker.plugins.v1.2+json';
const BODY_LIMIT = 1024 * 1024;
const ANSWER_MS = patience(15_000);

export type Methods = Readonly<Record<string, (body: unknown) => Promise<object> | object>>;

/** @param methods by `<Interface>.<Method>` */
export async function servePlugin(socket: string, methods: Methods, log: Logger): Promise<FastifyInstance> {
  const server = Fastify({ bodyLimit: BODY_LIMIT, forceCloseConnections: true });
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => {
    try {
      done(null, body === '' ? undefined : JSON.parse(body as string));
    } catch (error) {
      done(error as Error);
    }
  });
  server.addHook('onRequest', (request, _reply, done) => {
    request.headers['content-type'] ??= 'application/json'; // Docker sends none, and a body is read by it alone
    done();
  });
  server.setErrorHandler((error, request, reply) => {
    const { body } = describeFailure(error);
    // dockerd (20.10 at least) repeats a call that broke after it was sent, with what it has not read of its content: nothing.
    const isCutOff = error instanceof InvalidInput && (request.body ?? undefined) === undefined;
    const text = isCutOff
      ? `${request.url.slice(1)}: its first try was cut off, and Docker repeats it without content; run the command again`
      : [body.error.message, body.error.hint].filter(Boolean).join('; ');
    if (body.error.code === 'INTERNAL')
      log.error({ call: request.url, err: error }, 'a call of Docker failed');
    else log.warn({ call: request.url, err: error }, 'a call of Docker was refused');
    return reply
      .type(CONTENT_TYPE)
      .status(200)
      .send(JSON.stringify({ Err: text, Error: text }));
  });
  server.setNotFoundHandler((request, reply) => {
    const text = `${request.url.slice(1)}: the driver does not know this call`;
    return reply
      .type(CONTENT_TYPE)
      .status(200)
      .send(JSON.stringify({ Err: text, Error: text }));
  });
  for (const [name, answer] of Object.entries(methods)) {
    server.post(`/${name}`, async (request, reply) => {
      const started = performance.now();
      const body = await inTime(name, answer(request.body ?? {}));
      log.debug({ call: name, ms: Math.round(performance.now() - started) }, 'answered Docker');
      return reply.type(CONTENT_TYPE).send(JSON.stringify(body));
    });
  }
  await listenOn(server, socket);
  return server;
}

async function inTime(name: string, answer: Promise<object> | object): Promise<object> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new PlaitError('LATE', `${name}: not done within ${ANSWER_MS / 1000} s; see the agent's log`));
    }, ANSWER_MS);
  });
  return Promise.race([answer, late]).finally(() => clearTimeout(timer));
}
