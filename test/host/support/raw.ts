// Programs that send what no ordinary one sends; see raw.py for what there is.

import { fileURLToPath } from 'node:url';
import type { Lab } from '../../../src/lab/lab.js';

const SCRIPT = fileURLToPath(new URL('../../../../test/host/support/raw.py', import.meta.url));

export async function sendUdp(
  lab: Lab,
  member: string,
  address: string,
  port: number,
  data: Uint8Array,
): Promise<void> {
  await raw(lab, member, 'udp', address, port, data);
}

export async function sendFrame(
  lab: Lab,
  member: string,
  device: string,
  frame: Uint8Array,
  count = 1,
): Promise<void> {
  await raw(lab, member, 'frame', device, frame, count);
}

async function raw(lab: Lab, member: string, ...args: (string | number | Uint8Array)[]): Promise<void> {
  const words = args.map((arg) => (arg instanceof Uint8Array ? Buffer.from(arg).toString('hex') : `${arg}`));
  await lab.exec(member, ['python3', SCRIPT, ...words]);
}
