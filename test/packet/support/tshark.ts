/* The independent decoder: writes a capture, lets tshark read it with every checksum verified. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const LINKTYPE_ETHERNET = 1;
const CHECKS = ['ip', 'udp', 'tcp'].flatMap((name) => ['-o', `${name}.check_checksum:TRUE`]);

function pcap(frames: readonly Uint8Array[]): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(0x40000, 16);
  header.writeUInt32LE(LINKTYPE_ETHERNET, 20);
  const records = frames.map((frame) => {
    const record = Buffer.alloc(16);
    record.writeUInt32LE(frame.length, 8);
    record.writeUInt32LE(frame.length, 12);
    return Buffer.concat([record, frame]);
  });
  return Buffer.concat([header, ...records]);
}

/**
 * The fields of one frame, as tshark prints them. A field that occurs in the outer and in the inner packet has both
 * values, outer first: "192.0.2.1,10.10.0.2".
 */
export function decode<F extends string>(frame: Uint8Array, fields: readonly F[]): Record<F, string> {
  const dir = mkdtempSync(join(tmpdir(), 'plait-packet-'));
  try {
    const path = join(dir, 'frame.pcap');
    writeFileSync(path, pcap([frame]));
    const wanted = fields.flatMap((field) => ['-e', field]);
    const output = execFileSync('tshark', ['-n', '-r', path, ...CHECKS, '-T', 'fields', ...wanted], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const values = output.replace(/\n$/, '').split('\t');
    return Object.fromEntries(fields.map((field, i) => [field, values[i] ?? ''])) as Record<F, string>;
  } finally {
    rmSync(dir, { recursive: true });
  }
}
