/* DNS messages over a stream: each behind its length in two bytes (RFC 1035 §4.2.2). */
import type { Socket } from 'node:net';

const LENGTH_SIZE = 2;

/** Cuts a stream into messages. Holds less than one message of at most 64 KB. */
export class MessageReader {
  readonly #onMessage: (message: Buffer) => void;
  #chunks: Buffer[] = [];
  #size = 0;

  constructor(onMessage: (message: Buffer) => void) {
    this.#onMessage = onMessage;
  }

  push(bytes: Buffer): void {
    this.#chunks.push(bytes);
    this.#size += bytes.length;
    // Joined only when a message is whole, so that a client that sends single bytes costs no more than its bytes.
    while (this.#size >= LENGTH_SIZE) {
      const end = LENGTH_SIZE + this.#length();
      if (this.#size < end) return;
      const all = this.#join();
      this.#chunks = [all.subarray(end)];
      this.#size -= end;
      this.#onMessage(all.subarray(LENGTH_SIZE, end));
    }
  }

  #length(): number {
    const first = this.#chunks[0];
    return (first && first.length >= LENGTH_SIZE ? first : this.#join()).readUInt16BE(0);
  }

  #join(): Buffer {
    const [first, ...rest] = this.#chunks;
    const all = first && rest.length === 0 ? first : Buffer.concat(this.#chunks);
    this.#chunks = [all];
    return all;
  }
}

export function writeMessage(socket: Socket, message: Buffer): void {
  const length = Buffer.alloc(LENGTH_SIZE);
  length.writeUInt16BE(message.length);
  socket.write(Buffer.concat([length, message]));
}
