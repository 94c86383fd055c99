/*
 * The other end of a manager's TCP 2377. Managers are asked in turn, beginning with the one that answered last; an answer
 * is an answer, whatever it says, and only silence leads to the next.
 */
import { Agent, request } from 'node:https';
import type { PeerCertificate } from 'node:tls';
import type { ZodType } from 'zod';
import { PlaitError, StoreUnavailable } from '../../model/errors.js';
import { patience } from '../../patience.js';
import type { Credentials } from '../credentials.js';
import { describeTlsFailure, identityOf } from '../pki/identity.js';

export interface Call {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: unknown;
  /** For the answer, milliseconds. */
  readonly timeoutMs?: number;
}

export interface ManagerClientOptions {
  /** HOST:PORT, at least one. */
  readonly managers: readonly string[];
  /**
   * Without certificate and key nobody is shown, as by a joiner. Without a CA whoever answers is talked to: nothing that he
   * says is to be believed, and nothing of ours is to be told him.
   */
  readonly credentials: Partial<Credentials>;
}

const TIMEOUT_MS = patience(5000);
const ANSWER_LIMIT = 16 * 1024 * 1024;

/** No manager could be asked; nothing is known of what became of the request. */
export class ManagersUnreachable extends StoreUnavailable {}

/** As a manager said it. */
export class Refused extends PlaitError {
  /** Another manager was asked before, and may have done it although no answer came. */
  isRepeated = false;

  constructor(code: string, message: string, hint: string | undefined) {
    super(code, message, { hint, isTransient: code === 'STORE_UNAVAILABLE' });
  }
}

export class ManagerClient {
  #options: ManagerClientOptions;
  #agent: Agent;
  #current = 0;

  constructor(options: ManagerClientOptions) {
    this.#options = options;
    this.#agent = agentOf(options);
  }

  /** Goes on with other managers, or other certificates. */
  reconfigure(options: ManagerClientOptions): void {
    this.#agent.destroy();
    this.#options = options;
    this.#agent = agentOf(options);
    this.#current = 0;
  }

  close(): void {
    this.#agent.destroy();
  }

  /**
   * The answer as the schema has it. Throws what the manager refuses with; what is wrong with certificates;
   * ManagersUnreachable.
   */
  async ask<T>(call: Call, schema: ZodType<T>): Promise<T> {
    const { managers } = this.#options;
    const reasons: string[] = [];
    for (let turn = 0; turn < managers.length; turn++) {
      const manager = managers[this.#current % managers.length] ?? '';
      try {
        return schema.parse(await this.#exchange(manager, call));
      } catch (error) {
        if (error instanceof Refused) error.isRepeated = turn > 0;
        if (error instanceof PlaitError && !error.isTransient) throw error;
        reasons.push(`${manager}: ${error instanceof Error ? error.message : error}`);
        this.#current += 1;
      }
    }
    throw new ManagersUnreachable(`ask managers: ${reasons.join('; ')}`);
  }

  async #exchange(manager: string, call: Call): Promise<unknown> {
    const { status, text } = await this.#send(manager, call).catch((error) => {
      throw describeTlsFailure(error, { peer: `manager ${manager}`, ...this.#own() }) ?? error;
    });
    let answer: unknown;
    try {
      answer = JSON.parse(text);
    } catch {
      throw new PlaitError(
        'BAD_ANSWER',
        `ask manager ${manager}: what answers there is no manager of Plait`,
        {
          hint: 'give HOST:PORT of a manager; its port is 2377',
        },
      );
    }
    if (status < 400) return answer;
    const {
      code = 'BAD_ANSWER',
      message = `status ${status}`,
      hint,
    } = (answer as { error?: { code?: string; message?: string; hint?: string } }).error ?? {};
    throw new Refused(code, message, hint);
  }

  #own(): { own?: string } {
    const { certificate } = this.#options.credentials;
    return certificate === undefined ? {} : { own: certificate };
  }

  #send(manager: string, { method, path, body, timeoutMs = TIMEOUT_MS }: Call): Promise<Answer> {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const headers = payload === undefined ? {} : { 'content-type': 'application/json' };
    const { hostname, port } = new URL(`https://${manager}`);
    return new Promise((resolve, reject) => {
      const host = hostname.replace(/^\[|\]$/g, '');
      const sent = request(
        { agent: this.#agent, host, port: port || 443, method, path, headers },
        (response) => {
          const chunks: Buffer[] = [];
          let size = 0;
          response.on('data', (chunk: Buffer) => {
            chunks.push(chunk);
            size += chunk.length;
            if (size > ANSWER_LIMIT) sent.destroy(new Error('the answer is too long'));
          });
          response.on('error', reject);
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 500, text: Buffer.concat(chunks).toString() }),
          );
        },
      );
      const timer = setTimeout(
        () => sent.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)),
        timeoutMs,
      );
      sent.on('error', reject);
      sent.on('close', () => clearTimeout(timer));
      sent.end(payload);
    });
  }
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

function agentOf({ credentials: { ca, certificate, key } }: ManagerClientOptions): Agent {
  return new Agent({
    ...{ keepAlive: true, maxSockets: 16, minVersion: 'TLSv1.3' },
    ...(ca === undefined ? { rejectUnauthorized: false } : { ca, checkServerIdentity: checkManager }),
    ...(certificate === undefined ? {} : { cert: certificate, key }),
  });
}

/** A member of the cluster is not yet a manager. That it is at its address does not matter beside that. */
function checkManager(_host: string, certificate: PeerCertificate): Error | undefined {
  try {
    const { node, role } = identityOf(certificate.raw);
    if (role === 'manager') return undefined;
    return new PlaitError('NOT_MANAGER', `trust node ${node}: it is a worker`, {
      hint: 'give the address of a manager',
    });
  } catch (error) {
    return error as Error;
  }
}
