// kernels: every

/*
 * Names in a namespace that has Docker's resolver: the cluster's are answered by the agent, all others by that resolver, whose
 * place a plain server takes here, at the same address. And what is when the agent goes.
 */
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmdirSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import dnsPacket, { type Packet } from 'dns-packet';
import { socketInNamespace } from 'libbpf-ts-bindings';
import pino from 'pino';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { takeDockersPlace } from '../../src/dns/docker-place.js';
import { DnsServers } from '../../src/dns/servers.js';
import { Job } from '../../src/lab/exec.js';
import { randomId } from '../../src/model/records.js';
import { ClusterView } from '../../src/model/view.js';

const NAME = `pt-place-${process.pid}`;
const NETNS = `/run/netns/${NAME}`;
const DOCKERS = '10.99.0.9';
const [app, node] = [randomId(), randomId()];
const common = { labels: {}, createdAt: '2024-01-01T00:00:00.000Z' };
const ip = (...args: string[]) => execFileSync('ip', args);

let servers: DnsServers;
let mounted: string | undefined;
const closers: (() => void)[] = [];

const view = new ClusterView();
view.putAlive(node);
view.putNetwork({
  ...{ ...common, id: app, name: 'app', vni: 4096, internal: true, mtu: 1450, options: {} },
  subnets: [{ subnet: '10.10.0.0/24', gateway: null }],
});
view.putEndpoint({
  ...{ ...common, id: randomId(), network: app, node, name: 'web', addresses: ['10.10.0.2'] },
  ...{ aliases: ['shop'], mac: '02:00:00:00:00:01' },
});

/** It knows every name, and always the same address. */
function answer(wire: Buffer): Buffer {
  const query = dnsPacket.decode(wire);
  const [question] = query.questions ?? [];
  const reply: Packet = {
    ...{ type: 'response', id: query.id ?? 0, questions: query.questions ?? [] },
    answers: [{ type: 'A', name: question?.name ?? '', ttl: 1, data: DOCKERS }],
  };
  return dnsPacket.encode(reply);
}

async function serveAsDocker(): Promise<void> {
  const open = (type: 'udp' | 'tcp') =>
    socketInNamespace({ netns: NETNS, type, address: '127.0.0.11', port: 53 });
  const udp = createSocket('udp4');
  udp.on('message', (wire, { port, address }) => udp.send(answer(wire), port, address));
  udp.bind({ fd: open('udp') }); // listens at once
  const tcp = createServer((connection) => {
    connection.on('data', (bytes) => {
      const reply = answer(bytes.subarray(2));
      const length = Buffer.alloc(2);
      length.writeUInt16BE(reply.length);
      connection.end(Buffer.concat([length, reply]));
    });
  });
  tcp.listen({ fd: open('tcp') });
  await once(tcp, 'listening');
  closers.push(
    () => udp.close(),
    () => tcp.close(),
  );
}

async function dig(...args: string[]): Promise<string> {
  const argv = [`--net=${NETNS}`, 'dig', '@127.0.0.11', '+short', '+tries=1', '+time=3', ...args];
  const { stdout } = await new Job({ file: 'nsenter', args: argv, env: process.env }, 10_000).outcome;
  return stdout.trim();
}

/** As a resolver that does not connect its socket, which is told who sent the answer. */
async function askedWithoutConnecting(): Promise<string> {
  const fd = socketInNamespace({ netns: NETNS, type: 'udp', address: '0.0.0.0', port: 0 });
  const socket = createSocket('udp4');
  try {
    socket.bind({ fd });
    const query = dnsPacket.encode({ type: 'query', id: 7, questions: [{ type: 'A', name: 'web' }] });
    socket.send(query, 53, '127.0.0.11');
    const [, { address, port }] = (await once(socket, 'message', { signal: AbortSignal.timeout(3000) })) as [
      Buffer,
      { address: string; port: number },
    ];
    return `${address}:${port}`;
  } finally {
    socket.close();
  }
}

const test = suite('names where Docker answers names');

test.before(async () => {
  // Machines without systemd have none mounted, perhaps.
  if (!readFileSync('/proc/self/mountinfo', 'utf8').includes(' - cgroup2 ')) {
    mounted = `/run/${NAME}`;
    mkdirSync(mounted);
    execFileSync('mount', ['-t', 'cgroup2', 'cgroup2', mounted]);
  }
  ip('netns', 'add', NAME);
  ip('-n', NAME, 'link', 'set', 'lo', 'up');
  await serveAsDocker();
  servers = new DnsServers({ view, log: pino({ enabled: false }), resolvConf: '/nonexistent' });
  await servers.ensure({ path: NETNS, inode: statSync(NETNS).ino, hasDocker: true }, [app]);
});

test.after(async () => {
  for (const close of closers) close();
  await servers.close();
  ip('netns', 'del', NAME);
  if (mounted === undefined) return;
  execFileSync('umount', [mounted]);
  rmdirSync(mounted);
});

test('until the programs are there, Docker is asked', async () => {
  assert.is(await dig('web'), DOCKERS);
});

test('with them the cluster’s names are answered, and all others by Docker, over UDP and TCP', async () => {
  const place = await takeDockersPlace();
  try {
    for (const transport of ['+notcp', '+tcp']) {
      assert.is(await dig(transport, 'web'), '10.10.0.2');
      assert.is(await dig(transport, 'shop.app'), '10.10.0.2');
      assert.is(await dig(transport, '-x', '10.10.0.2'), 'web.app.');
      assert.is(await dig(transport, 'elsewhere'), DOCKERS);
      assert.is(await dig(transport, 'example.org'), DOCKERS);
    }
    assert.is(await askedWithoutConnecting(), '127.0.0.11:53');
  } finally {
    place.close();
  }
  assert.is(await dig('web'), DOCKERS, 'gone with their links');
});

test('who listens elsewhere on that port, in the same namespace, is nobody’s resolver', async () => {
  await servers.release(statSync(NETNS).ino);
  const place = await takeDockersPlace();
  const fd = socketInNamespace({ netns: NETNS, type: 'udp', address: '0.0.0.0', port: 61053 });
  const stranger = createSocket('udp4');
  stranger.bind({ fd });
  try {
    assert.is(await dig('web'), DOCKERS);
  } finally {
    stranger.close();
    place.close();
  }
});

test.run();
