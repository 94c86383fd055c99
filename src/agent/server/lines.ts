/* Streams of JSON objects, one per line, to readers that may be slower than what they read. */
import { PassThrough, type Readable } from 'node:stream';

/** A reader this far behind loses lines: the agent's memory is not its buffer. Bytes. */
const mostBehind = 1024 * 1024;

export interface LineStream {
  readonly readable: Readable;
  write(value: unknown): void;
  end(): void;
}

export function lineStream(): LineStream {
  const stream = new PassThrough();
  return {
    readable: stream,
    write(value) {
      if (stream.writableEnded || stream.writableLength > mostBehind) return;
      stream.write(`${JSON.stringify(value)}\n`);
    },
    end: () => stream.end(),
  };
}
