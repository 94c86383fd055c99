/*
 * etcd's messages, by the definitions that its client brings, and how gRPC frames them: a byte that says whether it is
 * compressed, four of length, big-endian, the message.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';

const HEADER = 5;

export interface Range {
  readonly key?: Uint8Array;
  readonly rangeEnd?: Uint8Array;
}

export interface Put {
  readonly key?: Uint8Array;
  readonly lease?: Long;
}

export interface RequestOp {
  readonly requestRange?: Range | null;
  readonly requestPut?: Put | null;
  readonly requestDeleteRange?: Range | null;
  readonly requestTxn?: Txn | null;
}

export interface Txn {
  readonly compare?: readonly Range[];
  readonly success?: readonly RequestOp[];
  readonly failure?: readonly RequestOp[];
}

export interface WatchRequest {
  readonly createRequest?: Range | null;
  readonly cancelRequest?: object | null;
  readonly progressRequest?: object | null;
}

export interface LeaseGrant {
  readonly TTL?: Long;
  readonly ID?: Long;
}

export interface LeaseRef {
  readonly ID?: Long;
}

/** 64 bits: as text it is exact. */
export interface Long {
  toString(): string;
}

let loaded: protobuf.Root | undefined;

function root(): protobuf.Root {
  loaded ??= new protobuf.Root().loadSync(
    join(fileURLToPath(import.meta.resolve('etcd3')), '..', '..', 'proto', 'rpc.proto'),
  );
  return loaded;
}

/** A message as the guard judges it, and, written anew, as etcd gets it: what nobody knows is not in it. */
export class MessageType<T> {
  readonly #name: string;

  /** @param name as in etcd's definitions, without the package */
  constructor(name: string) {
    this.#name = name;
  }

  /** Throws when it is none. */
  decode(bytes: Uint8Array): T {
    return this.#type().decode(bytes) as unknown as T;
  }

  encode(message: T): Uint8Array {
    return this.#type()
      .encode(message as Record<string, unknown>)
      .finish();
  }

  #type(): protobuf.Type {
    return root().lookupType(`etcdserverpb.${this.#name}`);
  }
}

export class BadFrame extends Error {}

/** Takes a stream apart into messages. Throws BadFrame. */
export class Frames {
  readonly #limit: number;
  #rest: Buffer = Buffer.alloc(0);

  /** @param limit bytes of a message */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** True where nothing of a message has come that has not come whole. */
  get isEmpty(): boolean {
    return this.#rest.length === 0;
  }

  *take(chunk: Buffer): Generator<Buffer> {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= HEADER) {
      const size = this.#rest.readUInt32BE(1);
      if (this.#rest[0] !== 0) throw new BadFrame('it is compressed');
      if (size > this.#limit) throw new BadFrame(`it has ${size} bytes, and ${this.#limit} are allowed`);
      if (this.#rest.length < HEADER + size) return;
      const message = this.#rest.subarray(HEADER, HEADER + size);
      this.#rest = this.#rest.subarray(HEADER + size);
      yield message;
    }
  }
}

export function frame(message: Uint8Array): Buffer {
  const header = Buffer.alloc(HEADER);
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}
