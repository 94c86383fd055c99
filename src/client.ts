/*
 * The agent's API from the other end: HTTP and JSON over its unix socket, streams as one JSON object per line. The
 * answers are those of model/api.ts; the agent is the same program as this, so they are not checked again.
 */
import { type IncomingMessage, request } from 'node:http';
import { createInterface } from 'node:readline';
import type { ErrorAnswer } from './model/api.js';
import { PlaitError } from './model/errors.js';
import { patience } from './patience.js';

/** In milliseconds. An attach that waits for etcd gives up long before. */
const ANSWER_TIMEOUT = patience(60_000);

type Method = 'GET' | 'POST' | 'DELETE';

/** Nobody to talk to, or nobody that lets us. */
export class AgentUnreachable extends PlaitError {
  /** Nobody listens there. */
  readonly isAbsent: boolean;

  constructor(socket: string, cause: NodeJS.ErrnoException) {
    const { reason, hint } = explain(cause);
    super('AGENT_UNREACHABLE', `connect ${socket}: ${reason}`, { isTransient: true, hint, cause });
    this.isAbsent = cause.code === 'ENOENT' || cause.code === 'ECONNREFUSED';
  }
}

/** The agent answered that it cannot or will not. */
export class RequestFailed extends PlaitError {
  constructor({ code, message, hint }: ErrorAnswer['error']) {
    super(code, message, { hint });
  }
}

export class AgentClient {
  readonly #socket: string;

  constructor(socket: string) {
    this.#socket = socket;
  }

  get<T>(path: string): Promise<T> {
    return this.#exchange<T>('GET', path);
  }

  /** @param timeout for the answer to begin, in milliseconds */
  post<T>(path: string, body: unknown, timeout?: number): Promise<T> {
    return this.#exchange<T>('POST', path, body, timeout);
  }

  delete<T>(path: string): Promise<T> {
    return this.#exchange<T>('DELETE', path);
  }

  /** The objects of a stream as they come, until the agent ends it. */
  async *lines<T>(path: string): AsyncGenerator<T> {
    const response = await this.#send('GET', path);
    if (isFailure(response)) throw await failureOf(response, path);
    let broken = false;
    response.on('error', () => {
      broken = true;
    });
    for await (const line of createInterface({ input: response, crlfDelay: Number.POSITIVE_INFINITY })) {
      if (line !== '') yield JSON.parse(line) as T;
    }
    if (broken || !response.complete) throw agentGone(path);
  }

  async #exchange<T>(method: Method, path: string, body?: unknown, timeout = ANSWER_TIMEOUT): Promise<T> {
    const response = await this.#send(method, path, body, timeout);
    if (isFailure(response)) throw await failureOf(response, path);
    return JSON.parse(await readText(response, path)) as T;
  }

  #send(method: Method, path: string, body?: unknown, timeout?: number): Promise<IncomingMessage> {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const headers = payload === undefined ? {} : { 'content-type': 'application/json' };
    return new Promise((resolve, reject) => {
      const sent = request({ socketPath: this.#socket, method, path, headers }, resolve);
      sent.on('error', (error) => reject(new AgentUnreachable(this.#socket, error)));
      if (timeout !== undefined) {
        sent.setTimeout(timeout, () => sent.destroy(new Error(`no answer within ${timeout / 1000} s`)));
      }
      sent.end(payload);
    });
  }
}

function isFailure({ statusCode = 500 }: IncomingMessage): boolean {
  return statusCode >= 400;
}

async function failureOf(response: IncomingMessage, path: string): Promise<PlaitError> {
  const text = await readText(response, path);
  try {
    return new RequestFailed((JSON.parse(text) as ErrorAnswer).error);
  } catch {
    return new PlaitError('BAD_ANSWER', `ask agent: it answered ${response.statusCode} without a reason`);
  }
}

async function readText(response: IncomingMessage, path: string): Promise<string> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of response) chunks.push(chunk as Buffer);
  } catch {
    throw agentGone(path);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function agentGone(path: string): PlaitError {
  return new PlaitError('AGENT_GONE', `read ${path}: the agent closed the connection`, { isTransient: true });
}

function explain(error: NodeJS.ErrnoException): { reason: string; hint?: string } {
  switch (error.code) {
    case 'ENOENT':
    case 'ECONNREFUSED':
      return { reason: 'no agent is listening; start it with `plait agent …`' };
    case 'EACCES':
    case 'EPERM':
      return { reason: 'permission denied', hint: 'run this as root' };
    case 'ECONNRESET':
    case 'EPIPE':
      return { reason: 'the agent closed the connection', hint: 'look at its log' };
    default:
      return { reason: error.message };
  }
}
