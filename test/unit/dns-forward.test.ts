/* Forwarding, with upstreams that behave badly. Each upstream is a socket of its own on 127.0.0.0/8, one port. */
import { execFile } from 'node:child_process';
import { createSocket, type RemoteInfo } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import dnsPacket from 'dns-packet';
import pino from 'pino';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Forwarder } from '../../src/dns/forwarder.js';
import { parseResolvConf, ResolvConf } from '../../src/dns/resolv-conf.js';
import { DnsServer } from '../../src/dns/server.js';

const run = promisify(execFile);
const log = pino({ enabled: false });

type Reply = (query: Buffer, send: (bytes: Buffer) => void) => void;

const answer =
  (data: string): Reply =>
  (query, send) => {
    const { id, questions } = dnsPacket.decode(query);
    const name = questions?.[0]?.name ?? '';
    send(
      dnsPacket.encode({
        ...{ type: 'response', id, flags: 0x0180, questions },
        answers: [{ type: 'A', name, ttl: 60, data }],
      }),
    );
  };
const failWith =
  (rcode: number): Reply =>
  (query, send) => {
    const { id, questions } = dnsPacket.decode(query);
    send(dnsPacket.encode({ type: 'response', id, flags: 0x0180 | rcode, questions }));
  };
const silence: Reply = () => {};

/** Runs `body` with a server that forwards everything to these upstreams: address → behaviour. */
async function withUpstreams(
  upstreams: Record<string, Reply>,
  servers: string[],
  body: (dig: (...args: string[]) => Promise<string>, seen: string[], port: number) => Promise<void>,
): Promise<void> {
  const closers: (() => void)[] = [];
  const seen: string[] = [];
  let port = 0;
  for (const [address, reply] of Object.entries(upstreams)) {
    const socket = createSocket('udp4');
    socket.on('message', (query: Buffer, from: RemoteInfo) => {
      seen.push(address);
      reply(query, (bytes) => socket.send(bytes, from.port, from.address));
    });
    socket.bind(port, address);
    await once(socket, 'listening');
    closers.push(() => socket.close());
    port = socket.address().port;
  }
  const forwarder = new Forwarder({ servers: async () => servers, port: port || 1 });
  const server = new DnsServer({ forwarder, log, resolve: () => ({ kind: 'forward' }) });
  await server.listen({ address: '127.0.0.1', port: 0 }, { address: '127.0.0.1', port: 0 });
  const dig = async (...args: string[]) =>
    (await run('dig', ['@127.0.0.1', '-p', String(server.ports.udp), '+tries=1', '+time=9', ...args])).stdout;
  try {
    await body(dig, seen, server.ports.udp);
  } finally {
    forwarder.close();
    await server.close();
    for (const close of closers) close();
  }
}

const test = suite('forwarder');

test('relays question and answer as they are', async () => {
  await withUpstreams({ '127.0.1.1': answer('192.0.2.80') }, ['127.0.1.1'], async (dig) => {
    const reply = await dig('example.com', 'A');
    assert.match(reply, /example\.com\.\s+60\s+IN\s+A\s+192\.0\.2\.80/);
    assert.match(reply, /flags: qr rd ra;/);
  });
});

test('tells SERVFAIL when there is nobody to ask', async () => {
  await withUpstreams({}, [], async (dig) => {
    assert.match(await dig('example.com'), /status: SERVFAIL/);
  });
});

test('goes on to the next at once when nobody listens at the first', async () => {
  await withUpstreams({ '127.0.1.2': answer('192.0.2.2') }, ['127.0.1.1', '127.0.1.2'], async (dig) => {
    const started = performance.now();
    assert.is(await dig('+short', 'example.com'), '192.0.2.2\n');
    assert.ok(performance.now() - started < 1000);
  });
});

test('waits two seconds for a silent one, once: then it asks the one that answers first', async () => {
  const upstreams = { '127.0.1.1': silence, '127.0.1.2': answer('192.0.2.2') };
  await withUpstreams(upstreams, ['127.0.1.1', '127.0.1.2'], async (dig, seen) => {
    const started = performance.now();
    assert.is(await dig('+short', 'example.com'), '192.0.2.2\n');
    const first = performance.now() - started;
    assert.ok(first >= 1900 && first < 3500, `took ${first} ms`);
    assert.is(await dig('+short', 'example.com'), '192.0.2.2\n');
    assert.equal(seen, ['127.0.1.1', '127.0.1.2', '127.0.1.2']);
  });
});

test('asks the next when one refuses, and passes the refusal on when all do', async () => {
  const upstreams = { '127.0.1.1': failWith(5), '127.0.1.2': answer('192.0.2.2') };
  await withUpstreams(upstreams, ['127.0.1.1', '127.0.1.2'], async (dig) => {
    assert.is(await dig('+short', 'example.com'), '192.0.2.2\n');
  });
  await withUpstreams({ '127.0.1.1': failWith(5) }, ['127.0.1.1'], async (dig) => {
    assert.match(await dig('example.com'), /status: REFUSED/);
  });
});

test('takes NXDOMAIN for an answer', async () => {
  const upstreams = { '127.0.1.1': failWith(3), '127.0.1.2': answer('192.0.2.2') };
  await withUpstreams(upstreams, ['127.0.1.1', '127.0.1.2'], async (dig, seen) => {
    assert.match(await dig('example.com'), /status: NXDOMAIN/);
    assert.equal(seen, ['127.0.1.1']);
  });
});

test('waits for the right reply after one with a wrong id and one to another question', async () => {
  const confused: Reply = (query, send) => {
    answer('192.0.2.66')(query, (reply) => {
      reply.writeUInt16BE(reply.readUInt16BE(0) ^ 1, 0);
      send(reply);
    });
    const other = dnsPacket.decode(query);
    other.questions = [{ type: 'A', name: 'forged.example' }];
    answer('192.0.2.67')(dnsPacket.encode(other), send);
    answer('192.0.2.2')(query, send);
  };
  await withUpstreams({ '127.0.1.1': confused }, ['127.0.1.1'], async (dig) => {
    assert.is(await dig('+short', 'example.com'), '192.0.2.2\n');
  });
});

test('lets one namespace wait for 128 answers at once, and refuses more without a delay', async () => {
  await withUpstreams({ '127.0.1.1': silence }, ['127.0.1.1'], async (_, seen, port) => {
    const socket = createSocket('udp4');
    socket.connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const replies: number[] = [];
    socket.on('message', (reply) => replies.push(reply.readUInt8(3) & 0x0f));
    for (let id = 0; id < 150; id++) {
      socket.send(dnsPacket.encode({ type: 'query', id, questions: [{ type: 'A', name: 'example.com' }] }));
    }
    await sleep(800);
    assert.equal(replies, Array(22).fill(2));
    assert.is(seen.length, 128);
    await sleep(1800);
    assert.equal(replies, Array(150).fill(2));
    socket.close();
  });
});

test('relays over TCP what was asked over TCP', async () => {
  const upstream = createServer((socket) => {
    socket.on('data', (bytes) =>
      answer('192.0.2.53')(bytes.subarray(2), (reply) => {
        socket.write(dnsPacket.streamEncode(dnsPacket.decode(reply)));
      }),
    );
  });
  upstream.listen(0, '127.0.1.1');
  await once(upstream, 'listening');
  const address = upstream.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const forwarder = new Forwarder({ servers: async () => ['127.0.1.1'], port });
  const server = new DnsServer({ forwarder, log, resolve: () => ({ kind: 'forward' }) });
  await server.listen({ address: '127.0.0.1', port: 0 }, { address: '127.0.0.1', port: 0 });
  try {
    const args = ['@127.0.0.1', '-p', String(server.ports.tcp), '+tcp', '+short', 'example.com'];
    assert.is((await run('dig', args)).stdout, '192.0.2.53\n');
  } finally {
    await server.close();
    upstream.close();
  }
});

test('reads name servers as resolv.conf has them, its own address left out', () => {
  const text = [
    '# nameserver 192.0.2.1',
    'search example.com',
    'nameserver 127.0.0.11',
    '  nameserver\t192.0.2.2 ',
    'nameserver fe80::1%eth0',
    'nameserver 192.0.2.3',
    'nameserver not-an-address',
    'options ndots:0',
  ].join('\n');
  assert.equal(parseResolvConf(text), ['192.0.2.2', 'fe80::1%eth0']);
});

test('reads resolv.conf again when it was replaced, and remembers it while it is away', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'plait-resolv-'));
  const file = path.join(directory, 'resolv.conf');
  try {
    const conf = new ResolvConf(file);
    await writeFile(file, 'nameserver 192.0.2.1\n');
    assert.equal(await conf.servers(), ['192.0.2.1']);
    await writeFile(`${file}.new`, 'nameserver 192.0.2.2\n');
    await rename(`${file}.new`, file);
    await sleep(1050);
    assert.equal(await conf.servers(), ['192.0.2.2']);
    await rm(file);
    await sleep(1050);
    assert.equal(await conf.servers(), ['192.0.2.2']);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test.run();
