/*
 * The independent decoder: tshark, with every checksum verified. It takes longer to start than to decode, so there is one
 * process for each list of fields, which gets a frame and answers with a line, over two FIFOs.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const LINKTYPE_ETHERNET = 1;
const LONGEST_ANSWER = 65536;
const OPTIONS = [
  ...['ip', 'udp', 'tcp'].map((name) => `${name}.check_checksum:TRUE`),
  // Each frame is for itself: nothing is put together with what another test sent.
  ...['ip.defragment', 'ipv6.defragment', 'tcp.desegment_tcp_streams', 'tcp.analyze_sequence_numbers'].map(
    (name) => `${name}:FALSE`,
  ),
].flatMap((option) => ['-o', option]);

interface Decoder {
  input: number;
  output: number;
}

const decoders = new Map<string, Decoder>();

/**
 * The fields of one frame, as tshark prints them. A field that occurs in the outer and in the inner packet has both
 * values, outer first: "192.0.2.1,10.10.0.2".
 */
export function decode<F extends string>(frame: Uint8Array, fields: readonly F[]): Record<F, string> {
  const key = fields.join(' ');
  const decoder = decoders.get(key) ?? start(fields);
  decoders.set(key, decoder);
  writeSync(decoder.input, record(frame));
  const values = readLine(decoder.output).split('\t');
  return Object.fromEntries(fields.map((field, i) => [field, values[i] ?? ''])) as Record<F, string>;
}

function start(fields: readonly string[]): Decoder {
  const dir = mkdtempSync(join(tmpdir(), 'plait-packet-'));
  try {
    const [from, to] = [join(dir, 'frames'), join(dir, 'lines')];
    execFileSync('mkfifo', [from, to]);
    // Opened for both directions, so that no end waits for the other.
    const [input, output] = [openSync(from, 'r+'), openSync(to, 'r+')];
    const wanted = fields.flatMap((field) => ['-e', field]);
    const args = ['-n', '-l', '-r', '-', ...OPTIONS, '-T', 'fields', ...wanted];
    const child = spawn('tshark', args, { stdio: [input, output, 'ignore'] });
    child.unref();
    process.once('exit', () => child.kill('SIGKILL'));
    writeSync(input, fileHeader());
    return { input, output };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

function readLine(output: number): string {
  const bytes = Buffer.alloc(LONGEST_ANSWER);
  let length = 0;
  while (bytes[length - 1] !== 0x0a) length += readSync(output, bytes, length, bytes.length - length, null);
  return bytes.toString('utf8', 0, length - 1);
}

function fileHeader(): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(0x40000, 16);
  header.writeUInt32LE(LINKTYPE_ETHERNET, 20);
  return header;
}

function record(frame: Uint8Array): Buffer {
  const header = Buffer.alloc(16);
  header.writeUInt32LE(frame.length, 8);
  header.writeUInt32LE(frame.length, 12);
  return Buffer.concat([header, frame]);
}
