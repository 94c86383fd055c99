// kernels: every

// Aggregates and plain packets of which only 14 bytes are linear, as virtio-net hands them over, from an underlay
// that is a tap: the one way to make them without a virtual machine. The container's own TCP says that they are whole:
// it answers what belongs to no connection with a reset.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { features } from 'libbpf-ts-bindings';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Datapath } from '../../src/datapath/datapath.js';
import { parseIp, toAddr } from '../../src/model/addresses.js';
import { checksum, ip } from '../packet/support/bytes.js';
import { eth, ipv4, ipv6, Protocol, udp, vxlan } from '../packet/support/frames.js';
import { addContainer, optionsIn, type TestContainer, VNI } from './support/node.js';
import { enterOwnNamespace, json, Scratch, sh } from './support/own-namespace.js';
import { counted } from './support/servers.js';

enterOwnNamespace(import.meta.url);

const RAW = fileURLToPath(new URL('../../../test/host/support/raw.py', import.meta.url));
const DEVICE = 'u1';
const PORT = 4789;
const COUNT = 50;
const SEGMENT = 1400;
const PAYLOAD = Buffer.alloc(16_000, 0x61);
const HOST = { 4: '192.0.2.1', 6: '2001:db8::1' } as const;
const PEER = { 4: '192.0.2.9', 6: '2001:db8::9' } as const;
const SENDER = { mac: '02:00:00:00:00:09', 4: '10.10.0.9', 6: 'fd00:10::9' } as const;

type Family = 4 | 6;

const test = suite('datapath: packets in pages');
const scratch = new Scratch();
let tap: ChildProcessWithoutNullStreams;
let lines: AsyncIterator<string>;
let deviceMac: string;

test.before(async () => {
  tap = spawn('python3', [RAW, 'tap', DEVICE]);
  tap.stderr.pipe(process.stderr);
  lines = createInterface({ input: tap.stdout })[Symbol.asyncIterator]();
  assert.is((await lines.next()).value, 'ready');
  for (const family of [4, 6] as const) {
    const more = family === 4 ? '/24' : '/64 nodad';
    sh(`ip address add ${HOST[family]}${more} dev ${DEVICE}`);
  }
  sh(`ip link set ${DEVICE} up`);
  deviceMac = json<{ address: string }[]>(sh(`ip -j link show ${DEVICE}`))[0]?.address ?? '';
});
test.after(async () => {
  tap.stdin.end();
  await once(tap, 'exit');
  scratch.clean();
});

/** A TCP segment, or an aggregate of several, with its whole checksum. */
function tcpPacket(family: Family, to: TestContainer, payload: Buffer): Buffer {
  const target = family === 4 ? to.ip4 : to.ip6;
  const header = Buffer.alloc(20);
  header.writeUInt16BE(40_000, 0);
  header.writeUInt16BE(80, 2);
  header.writeUInt32BE(1, 8);
  header.writeUInt16BE(0x5010, 12);
  const segment = Buffer.concat([header, payload]);
  const length = Buffer.from([0, 0, segment.length >> 8, segment.length & 0xff]);
  const pseudo = [ip(SENDER[family]), ip(target), length, Buffer.from([0, 0, 0, Protocol.tcp])];
  segment.writeUInt16BE(checksum(Buffer.concat([...pseudo, segment])), 16);
  const ends = { from: SENDER[family], to: target };
  return family === 4
    ? eth(to.mac, SENDER.mac, 'ipv4', ipv4({ ...ends, protocol: Protocol.tcp }, segment))
    : eth(to.mac, SENDER.mac, 'ipv6', ipv6({ ...ends, next: Protocol.tcp }, segment));
}

function outer(family: Family, inner: Buffer): Buffer {
  const ends = { from: PEER[family], to: HOST[family] };
  const datagram = udp(50_000, PORT, vxlan(VNI, inner));
  return family === 4
    ? eth(deviceMac, '020000000099', 'ipv4', ipv4({ ...ends, protocol: Protocol.udp }, datagram))
    : eth(deviceMac, '020000000099', 'ipv6', ipv6({ ...ends, next: Protocol.udp }, datagram));
}

async function send(frame: Buffer, kind: 'none' | 'tcp4' | 'tcp6'): Promise<void> {
  tap.stdin.write(`${frame.toString('hex')} ${kind} ${kind === 'none' ? 0 : SEGMENT} ${COUNT}\n`);
  assert.is((await lines.next()).value, 'sent');
}

/** How much the packets of each drop and event grew. */
async function growth(dp: Datapath, action: () => Promise<void>): Promise<Record<string, number>> {
  const count = (): Map<string, number> => {
    const { drops, events } = dp.drops();
    return new Map([...drops, ...events].map(({ name, packets }) => [name, packets]));
  };
  const before = count();
  await action();
  const grown = [...count()].map(([name, packets]) => [name, packets - (before.get(name) ?? 0)] as const);
  return Object.fromEntries(grown.filter(([, packets]) => packets > 0));
}

const resets = (container: TestContainer): number => counted(container.netns, 'TcpOutRsts');

function listSender(dp: Datapath, family: Family): void {
  const vtep = dp.vteps.index(PEER[family]);
  dp.tables.senders.apply([[{ vni: VNI, addr: toAddr(parseIp(PEER[family])) }, { vtep }]]);
}

for (const decapL3 of [true, false]) {
  for (const underlay of [4, 6] as const) {
    const how = decapL3 ? "with the kernel's DECAP_L3 flags" : 'without them, as before 6.3';
    const title = `IPv${underlay} underlay, ${how}: all of them arrive whole, on the fast path`;
    test(title, async () => {
      if (decapL3 && !features.decapL3()) {
        console.log(`SKIP ${title}: this kernel has no such flags (since Linux 6.3)`);
        return;
      }
      const options = optionsIn(scratch, { address: HOST[underlay], decapL3 });
      const dp = await Datapath.open(options);
      try {
        const name = 100 + underlay + (decapL3 ? 10 : 0);
        const container = await addContainer(dp, scratch, name);
        listSender(dp, underlay);
        for (const family of [4, 6] as const) {
          for (const [kind, payload] of [
            [`tcp${family}`, PAYLOAD],
            ['none', PAYLOAD.subarray(0, 1000)],
          ] as const) {
            const before = resets(container);
            const frame = outer(underlay, tcpPacket(family, container, payload));
            const grown = await growth(dp, () => send(frame, kind));
            const what = `IPv${family} inside, ${kind}: ${JSON.stringify(grown)}`;
            assert.is(grown['remote-received'], COUNT, what);
            assert.is(grown['slow-received'], undefined, what);
            assert.is(resets(container) - before, COUNT, `checksum and lengths, ${what}`);
          }
        }
      } finally {
        dp.close();
      }
    });
  }
}

test.run();
