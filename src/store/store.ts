/**
 * The connection to etcd: calls with one deadline and one style of error. An answer, or StoreUnavailable when
 * the time is over.
 *
 * A call that failed is repeated until then, since etcd may be restarting or another member may answer. A write
 * may therefore happen twice, or have happened although it is reported as failed: those who write make their
 * writes recognizable (by the random id in them) and look before they believe in a conflict.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import * as etcd3 from 'etcd3';
import { InvalidInput } from '../model/errors.js';
import { patience } from '../patience.js';
import { asPlaitError, isUnavailable } from './failures.js';
import { endOf } from './operations.js';

export interface Connection {
  /** Client URLs of the etcd members, the one that is asked first at the head. */
  readonly endpoints: readonly string[];
  readonly tls?: StoreTls;
}

/** For https endpoints. PEM; `cert` and `key` identify this client. */
export interface StoreTls {
  readonly ca: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  /** What the certificates of etcd must be for; the host of its URL when left out. */
  readonly serverName?: string;
}

export interface StoreOptions extends Connection {
  /** How long a call may take with all its repetitions, ms. */
  readonly timeoutMs?: number;
}

export interface Entry {
  readonly key: string;
  readonly value: string;
  readonly modRevision: string;
}

export interface Listing {
  readonly entries: Entry[];
  /** Of the store when the list was made; all pages are of this revision. */
  readonly revision: string;
}

const PAGE = 1000;
const RETRY_DELAY_MS = 100;
const DEFAULT_TIMEOUT_MS = patience(3000);

/**
 * A dead peer is noticed within 15 s even by an idle watch. Pings go with calls only: etcd allows them every 5 s while
 * there is a call, and every two hours otherwise, and takes the connection away for the fourth one too many
 * ("too many pings"). Reconnecting is gRPC's business; it must not back off for minutes, and not share its backoff
 * with other clients of the process.
 */
const CHANNEL_OPTIONS = {
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': patience(5_000),
  'grpc.keepalive_permit_without_calls': 0,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.max_receive_message_length': -1,
} as const;

type Policy = NonNullable<NonNullable<etcd3.IOptions['faultHandling']>['global']>;

/** The client's own repetitions and circuit breakers know no deadline; `Store.call` does their work. */
const noPolicy = {
  execute: async <T>(run: (context: { signal: AbortSignal }) => PromiseLike<T> | T) =>
    run({ signal: new AbortController().signal }),
} as unknown as Policy;

export class Store {
  /** One per member: which one is asked is decided here, and stays until it fails. */
  #clients: readonly etcd3.Etcd3[];
  #current = 0;
  readonly #timeoutMs: number;
  #where: string;
  #closed = false;

  constructor(options: StoreOptions) {
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.#where = options.endpoints.join(',');
    this.#clients = clientsOf(options);
  }

  /**
   * Goes on with other members, or other certificates. Calls under way end as they began; what follows a prefix lists
   * anew, over the new connection, when the old one is taken away after that.
   */
  reconfigure(options: Connection): void {
    const before = this.#clients;
    this.#clients = clientsOf(options);
    this.#where = options.endpoints.join(',');
    this.#current = 0;
    const close = (): void => {
      for (const client of before) client.close();
    };
    if (this.#closed) close();
    else setTimeout(close, this.#timeoutMs).unref();
  }

  /** For messages. */
  get where(): string {
    return this.#where;
  }

  /** Resolves if etcd answers and has a leader. */
  async ping(): Promise<void> {
    await this.get('/plait/ping');
  }

  close(): void {
    this.#closed = true;
    for (const client of this.#clients) client.close();
  }

  async get(key: string): Promise<Entry | undefined> {
    const response = await this.call((client, options) =>
      client.kv.range({ key: Buffer.from(key) }, options),
    );
    return response.kvs.map(entryOf)[0];
  }

  /** All keys of the prefix as of one revision, in order. `keysOnly` leaves the values empty. */
  async list(prefix: string, { keysOnly = false } = {}): Promise<Listing> {
    const entries: Entry[] = [];
    const end = endOf(prefix);
    let from = Buffer.from(prefix);
    let revision = '0';
    for (;;) {
      const page = { key: from, range_end: end, limit: PAGE, keys_only: keysOnly, revision };
      const response = await this.call((client, options) => client.kv.range(page, options));
      if (revision === '0') revision = response.header.revision;
      for (const kv of response.kvs) entries.push(entryOf(kv));
      const last = response.kvs.at(-1);
      if (!response.more || !last) return { entries, revision };
      from = Buffer.concat([last.key, Buffer.of(0)]);
    }
  }

  txn(
    compare: etcd3.ICompare[],
    success: etcd3.IRequestOp[],
    failure: etcd3.IRequestOp[] = [],
  ): Promise<etcd3.ITxnResponse> {
    return this.call((client, options) => client.kv.txn({ compare, success, failure }, options));
  }

  /** Runs a call again and again, member after member, until one answers or the time is over. */
  async call<T>(run: (client: etcd3.Etcd3, options: CallOptions) => Promise<T>): Promise<T> {
    const deadline = Date.now() + this.#timeoutMs;
    let reason: unknown;
    for (let attempt = 1; ; attempt++) {
      try {
        return await run(this.#client(), { deadline: Math.min(deadline, Date.now() + this.#attemptMs()) });
      } catch (error) {
        // The last attempt often only says that the time is over; the one before says why.
        if (reason === undefined || !(error instanceof etcd3.GRPCDeadlineExceededError)) reason = error;
        const again = isUnavailable(error) && !this.#closed && Date.now() + RETRY_DELAY_MS < deadline;
        if (!again) throw asPlaitError(reason, this.#where);
      }
      this.#current = (this.#current + 1) % this.#clients.length;
      if (attempt % this.#clients.length === 0) await sleep(RETRY_DELAY_MS);
    }
  }

  /** A watch stream of its own: no etcd3 Watcher, which loses events when it reconnects while catching up. */
  openWatch(): ReturnType<etcd3.WatchClient['watch']> {
    return this.#client().watchClient.watch();
  }

  /** Returns the id of a new lease. */
  async grantLease(ttlSeconds: number): Promise<string> {
    const request = { TTL: ttlSeconds };
    return (await this.call((client, options) => client.leaseClient.leaseGrant(request, options))).ID;
  }

  /** False if the lease is over. */
  renewLease(lease: string): Promise<boolean> {
    return this.call(async (client, options) => {
      const stream = await client.leaseClient.leaseKeepAlive(options);
      try {
        return await new Promise<boolean>((resolve, reject) => {
          stream.on('data', (response) => resolve(response.TTL !== '0'));
          stream.on('error', reject);
          stream.on('end', () => reject(new etcd3.EtcdWatchStreamEnded()));
          stream.write({ ID: lease });
        });
      } finally {
        stream.end(); // before cancelling, see `endStream` of follow.ts
        stream.cancel();
      }
    });
  }

  async revokeLease(lease: string): Promise<void> {
    await this.call((client, options) => client.leaseClient.leaseRevoke({ ID: lease }, options));
  }

  /** A silent member must leave time to ask another one. */
  #attemptMs(): number {
    return this.#clients.length > 1 ? this.#timeoutMs / 3 : this.#timeoutMs;
  }

  #client(): etcd3.Etcd3 {
    const client = this.#clients[this.#current];
    if (!client) throw new InvalidInput('connect to etcd: no endpoint given');
    return client;
  }
}

interface CallOptions {
  /** Unix time, ms. */
  readonly deadline: number;
}

function clientsOf({ endpoints, tls }: Connection): etcd3.Etcd3[] {
  if (endpoints.length === 0) throw new InvalidInput('connect to etcd: no endpoint given');
  return endpoints.map(
    (url) =>
      new etcd3.Etcd3({
        hosts: checkUrl(url),
        ...(tls && { credentials: credentialsOf(tls) }),
        grpcOptions: {
          ...CHANNEL_OPTIONS,
          ...(tls?.serverName && { 'grpc.ssl_target_name_override': tls.serverName }),
        },
        faultHandling: { host: () => noPolicy, global: noPolicy },
      }),
  );
}

function entryOf(kv: etcd3.IKeyValue): Entry {
  return { key: kv.key.toString(), value: kv.value.toString(), modRevision: kv.mod_revision };
}

function credentialsOf(tls: StoreTls): NonNullable<etcd3.IOptions['credentials']> {
  return {
    rootCertificate: tls.ca,
    ...(tls.key && { privateKey: tls.key }),
    ...(tls.cert && { certChain: tls.cert }),
  };
}

function checkUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isBase = url?.pathname === '/' && url.search === '' && url.username === '';
  if (!url || !isBase || !/^https?:$/.test(url.protocol)) {
    throw new InvalidInput(
      `use etcd endpoint ${JSON.stringify(text)}: not http://host:port or https://host:port`,
    );
  }
  // URL drops the port that is its protocol's default, etcd's is another one.
  const port = /:(\d+)\/?$/.exec(text)?.[1] ?? '2379';
  return `${url.protocol}//${url.hostname}:${port}`;
}
