/*
 * What the agent asks of the Docker Engine on its host: five questions and a stream, over its unix socket. By node:http,
 * since the libraries for it bring gRPC and SSH along. No version in the paths: each engine answers in its newest.
 */
import { type IncomingMessage, request } from 'node:http';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { PlaitError } from '../model/errors.js';
import { patience } from '../patience.js';

/** An engine that is busy starting containers takes its time. */
const ANSWER_MS = patience(15_000);

export const networkSchema = z.looseObject({
  Id: z.string(),
  Name: z.string(),
  Driver: z.string(),
  Scope: z.string(),
  /** It has settings for others of the swarm, and no containers. */
  ConfigOnly: z.boolean().default(false),
  /** Of one whose settings are another's. */
  ConfigFrom: z.looseObject({ Network: z.string() }).nullish(),
  Labels: z.record(z.string(), z.string()).nullish(),
  Options: z.record(z.string(), z.string()).nullish(),
  IPAM: z.looseObject({
    Config: z.array(z.looseObject({ Subnet: z.string().optional() })).nullish(),
  }),
});
export type EngineNetwork = z.infer<typeof networkSchema>;

const attachment = z.looseObject({
  NetworkID: z.string(),
  EndpointID: z.string(),
  Aliases: z.array(z.string()).nullish(),
  /** Since Docker 25, with the container's name and its short id. */
  DNSNames: z.array(z.string()).nullish(),
});
export const containerSchema = z.looseObject({
  Id: z.string(),
  /** With a slash in front. */
  Name: z.string(),
  Config: z.looseObject({ Labels: z.record(z.string(), z.string()).nullish() }),
  State: z.looseObject({ Status: z.string(), Error: z.string() }),
  HostConfig: z.looseObject({ RestartPolicy: z.looseObject({ Name: z.string() }) }),
  NetworkSettings: z.looseObject({ Networks: z.record(z.string(), attachment) }),
});
export type EngineContainer = z.infer<typeof containerSchema>;

export const eventSchema = z.looseObject({
  Type: z.string(),
  Action: z.string(),
  Actor: z.looseObject({ ID: z.string(), Attributes: z.record(z.string(), z.string()).nullish() }),
});
export type EngineEvent = z.infer<typeof eventSchema>;

const infoSchema = z.looseObject({
  Swarm: z.looseObject({ LocalNodeState: z.string(), ControlAvailable: z.boolean().optional() }).nullish(),
});
const pluginSchema = z.looseObject({ Enabled: z.boolean() });
const failureSchema = z.looseObject({ message: z.string() });

/** This engine's part in one. */
export interface Swarm {
  readonly isManager: boolean;
}

/** The engine said no, or was not there (status 0). */
export class EngineError extends PlaitError {
  constructor(
    doing: string,
    readonly status: number,
    reason: string,
  ) {
    super('DOCKER', `${doing}: ${reason}`);
  }
}

export class EngineApi {
  readonly #socket: string;

  constructor(socket: string) {
    this.#socket = socket;
  }

  /** Undefined for an engine that is in no swarm. */
  async swarm(): Promise<Swarm | undefined> {
    const { Swarm } = await this.#ask('GET', '/info', infoSchema);
    if (Swarm?.LocalNodeState !== 'active') return undefined;
    return { isManager: Swarm.ControlAvailable ?? false };
  }

  networks(): Promise<EngineNetwork[]> {
    return this.#ask('GET', '/networks', z.array(networkSchema));
  }

  /** Ids. @param filters as of `docker ps --filter` */
  async containers(filters: Readonly<Record<string, readonly string[]>>): Promise<string[]> {
    const found = await this.#ask(
      'GET',
      `/containers/json?all=1&filters=${encoded(filters)}`,
      z.array(z.looseObject({ Id: z.string() })),
    );
    return found.map(({ Id }) => Id);
  }

  container(id: string): Promise<EngineContainer> {
    return this.#ask('GET', `/containers/${id}/json`, containerSchema);
  }

  async startContainer(id: string): Promise<void> {
    await this.#ask('POST', `/containers/${id}/start`, z.unknown());
  }

  async createNetwork(body: object): Promise<void> {
    await this.#ask('POST', '/networks/create', z.unknown(), body);
  }

  async removeNetwork(id: string): Promise<void> {
    await this.#ask('DELETE', `/networks/${id}`, z.unknown());
  }

  /** A managed plugin; undefined where there is none of that name. */
  async plugin(name: string): Promise<{ readonly isEnabled: boolean } | undefined> {
    try {
      const { Enabled } = await this.#ask('GET', `/plugins/${name}/json`, pluginSchema);
      return { isEnabled: Enabled };
    } catch (error) {
      if (error instanceof EngineError && error.status === 404) return undefined;
      throw error;
    }
  }

  /** @param archive tar, with config.json and rootfs/ */
  async createPlugin(name: string, archive: Buffer): Promise<void> {
    await this.#ask('POST', `/plugins/create?name=${encodeURIComponent(name)}`, z.unknown(), archive);
  }

  async enablePlugin(name: string): Promise<void> {
    await this.#ask('POST', `/plugins/${name}/enable?timeout=10`, z.unknown());
  }

  /** Also one that is in use. */
  async removePlugin(name: string): Promise<void> {
    await this.#ask('DELETE', `/plugins/${name}?force=1`, z.unknown());
  }

  /** Events from now on, until the signal or the engine ends them. Lines that are no events are left out. */
  async events(
    filters: Readonly<Record<string, readonly string[]>>,
    signal: AbortSignal,
  ): Promise<AsyncIterable<EngineEvent>> {
    const path = `/events?filters=${encoded(filters)}`;
    const response = await this.#open('GET', path, undefined, signal);
    const lines = createInterface({ input: response })[Symbol.asyncIterator](); // from here on none is lost
    async function* events(): AsyncIterable<EngineEvent> {
      try {
        for await (const line of lines) {
          const parsed = eventSchema.safeParse(parseJson(line));
          if (parsed.success) yield parsed.data;
        }
      } catch (error) {
        throw new EngineError('follow the events of Docker', 0, String(error)); // it went away
      }
    }
    return events();
  }

  async #ask<T>(method: string, path: string, schema: z.ZodType<T>, body?: object): Promise<T> {
    const doing = `${method} ${path.split('?')[0]} of Docker`;
    const response = await this.#open(method, path, body, AbortSignal.timeout(ANSWER_MS));
    const parsed = schema.safeParse(parseJson(await text(response)));
    if (parsed.success) return parsed.data;
    throw new EngineError(doing, 200, `an answer of another kind: ${z.prettifyError(parsed.error)}`);
  }

  /** Resolves with the answer's content; rejects with EngineError unless its status is 2xx. */
  #open(method: string, path: string, body: object | undefined, signal: AbortSignal) {
    const doing = `${method} ${path.split('?')[0]} of Docker`;
    return new Promise<IncomingMessage>((resolve, reject) => {
      const type = body instanceof Buffer ? 'application/x-tar' : 'application/json';
      const headers = { host: 'docker', ...(body && { 'content-type': type }) };
      const sent = request({ socketPath: this.#socket, method, path, headers, signal }, async (response) => {
        const { statusCode = 0 } = response;
        if (statusCode >= 200 && statusCode < 300) return resolve(response);
        const failure = failureSchema.safeParse(parseJson(await text(response)));
        reject(new EngineError(doing, statusCode, failure.data?.message ?? `status ${statusCode}`));
      });
      sent.on('error', (error) => reject(new EngineError(doing, 0, error.message)));
      sent.end(body instanceof Buffer ? body : body && JSON.stringify(body));
    });
  }
}

function encoded(filters: Readonly<Record<string, readonly string[]>>): string {
  return encodeURIComponent(JSON.stringify(filters));
}

function parseJson(json: string): unknown {
  try {
    return json === '' ? {} : JSON.parse(json);
  } catch {
    return undefined;
  }
}
