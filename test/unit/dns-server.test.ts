/* The name server on real sockets of the loopback device; dig, which shares no code with it, is the oracle. */
import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import dnsPacket from 'dns-packet';
import pino from 'pino';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Forwarder } from '../../src/dns/forwarder.js';
import { DnsServer } from '../../src/dns/server.js';
import { resolve, type ZoneView } from '../../src/dns/zone.js';

const run = promisify(execFile);
const LOCAL = '127.0.0.1';
const log = pino({ enabled: false });

const network = { name: 'app', internal: false, subnets: [{ subnet: '10.10.0.0/16' }] };
const many = Array.from({ length: 200 }, (_, i) => ({
  name: 'crowd',
  node: 'n1',
  addresses: [`10.10.1.${i + 1}`],
}));
const web = { name: 'web', node: 'n1', addresses: ['10.10.0.2', 'fd00::2'] };
const view: ZoneView = {
  networks: new Map([['app', network]]),
  alive: new Set(['n1']),
  endpointsNamed: (_, name) => (name === 'crowd' ? many : name === 'web' ? [web] : []),
  endpointAt: (_, address) => (address === '10.10.0.2' || address === 'fd00::2' ? web : undefined),
};

interface Running {
  server: DnsServer;
  udp: number;
  tcp: number;
}

async function withServer(
  body: (running: Running) => Promise<void>,
  upstreams: string[] = [],
  upstreamPort = 53,
) {
  const forwarder = new Forwarder({ servers: async () => upstreams, port: upstreamPort });
  const server = new DnsServer({ forwarder, log, resolve: (question) => resolve(question, view, ['app']) });
  const anyPort = { address: LOCAL, port: 0 };
  await server.listen(anyPort, anyPort);
  try {
    await body({ server, ...server.ports });
  } finally {
    forwarder.close();
    await server.close();
  }
}

async function dig(port: number, ...args: string[]): Promise<string> {
  const { stdout } = await run('dig', [`@${LOCAL}`, '-p', String(port), '+time=5', '+tries=1', ...args]);
  return stdout;
}

/** Sends bytes in one datagram and waits for a reply, or undefined when there is none within 200 ms. */
async function exchange(port: number, bytes: Uint8Array): Promise<Buffer | undefined> {
  const socket = createSocket('udp4');
  try {
    socket.send(bytes, port, LOCAL);
    const reply = once(socket, 'message').then(([message]) => message as Buffer);
    return await Promise.race([reply, sleep(200).then(() => undefined)]);
  } finally {
    socket.close();
  }
}

const query = (name: string, type: 'A' | 'TXT' = 'A', id = 7) =>
  dnsPacket.encode({ type: 'query', id, flags: dnsPacket.RECURSION_DESIRED, questions: [{ type, name }] });

const test = suite('name server');

test('answers A, AAAA and PTR to dig over UDP and TCP', async () => {
  await withServer(async ({ udp, tcp }) => {
    assert.is(await dig(udp, '+short', 'web', 'A'), '10.10.0.2\n');
    assert.is(await dig(udp, '+short', 'web', 'AAAA'), 'fd00::2\n');
    assert.is(await dig(udp, '+short', '-x', '10.10.0.2'), 'web.app.\n');
    assert.is(await dig(udp, '+short', '-x', 'fd00::2'), 'web.app.\n');
    assert.is(await dig(tcp, '+tcp', '+short', 'web.app', 'A'), '10.10.0.2\n');
  });
});

test('says with status and flags what it means', async () => {
  await withServer(async ({ udp }) => {
    const found = await dig(udp, 'web', 'A');
    assert.match(found, /status: NOERROR/);
    assert.match(found, /flags: qr aa rd ra;/);
    assert.match(found, /web\.\s+5\s+IN\s+A\s+10\.10\.0\.2/);
    assert.match(await dig(udp, 'web', 'MX'), /status: NOERROR[\s\S]*ANSWER: 0/);
    assert.match(await dig(udp, 'nobody', 'A'), /status: NXDOMAIN/);
    assert.match(await dig(udp, '-c', 'CH', 'version.bind', 'TXT'), /status: REFUSED/);
    assert.match(await dig(udp, '+edns=1', '+noednsneg', 'web', 'A'), /status: BADVERS/);
    assert.match(await dig(udp, '+opcode=4', 'web', 'A'), /status: NOTIMP/);
  });
});

test('keeps the case of the question in its answer', async () => {
  await withServer(async ({ udp }) => {
    assert.match(await dig(udp, 'WeB.aPP', 'A'), /^WeB\.aPP\.\s+5\s+IN\s+A\s+10\.10\.0\.2$/m);
  });
});

test('marks as truncated what does not fit, and gives all of it over TCP', async () => {
  await withServer(async ({ udp, tcp }) => {
    const small = await dig(udp, '+noedns', '+ignore', 'crowd', 'A');
    assert.match(small, /flags: qr aa tc rd ra;/);
    assert.ok(Number(/MSG SIZE\s+rcvd: (\d+)/.exec(small)?.[1]) <= 512);
    const bigger = await dig(udp, '+bufsize=1232', '+ignore', 'crowd', 'A');
    assert.match(bigger, /flags: qr aa tc rd ra;/);
    assert.ok(Number(/MSG SIZE\s+rcvd: (\d+)/.exec(bigger)?.[1]) <= 1232);
    const whole = await dig(tcp, '+tcp', 'crowd', 'A');
    assert.match(whole, /flags: qr aa rd ra;[^\n]*ANSWER: 200/);
  });
});

test('shuffles the endpoints of one name', async () => {
  await withServer(async ({ tcp }) => {
    const first = await dig(tcp, '+tcp', '+short', 'crowd', 'A');
    const second = await dig(tcp, '+tcp', '+short', 'crowd', 'A');
    assert.is.not(first, second);
    assert.equal(first.split('\n').sort(), second.split('\n').sort());
  });
});

test('survives every truncation and a flip of every byte of a query', async () => {
  await withServer(async ({ udp }) => {
    const socket = createSocket('udp4');
    const whole = query('web.app');
    for (let size = 0; size < whole.length; size++) socket.send(whole.subarray(0, size), udp, LOCAL);
    for (let at = 0; at < whole.length; at++) {
      for (const value of [0x00, 0x3f, 0xc0, 0xff]) {
        const bad = Buffer.from(whole);
        bad[at] = value;
        socket.send(bad, udp, LOCAL);
      }
    }
    assert.is(await dig(udp, '+short', 'web', 'A'), '10.10.0.2\n');
    socket.close();
  });
});

const header = (counts: number[], flags = 0x0100) => Buffer.from([0, 7, flags >> 8, flags & 255, ...counts]);
const malformed: [string, Uint8Array, number | undefined][] = [
  ['shorter than a header', Buffer.from([0, 7, 1]), undefined],
  ['a reply', header([0, 0, 0, 0, 0, 0, 0, 0], 0x8100), undefined],
  ['no question', header([0, 0, 0, 0, 0, 0, 0, 0]), 1],
  ['65535 questions', header([255, 255, 0, 0, 0, 0, 0, 0]), 1],
  [
    'a name that points at itself',
    Buffer.concat([header([0, 1, 0, 0, 0, 0, 0, 0]), Buffer.from([0xc0, 12, 0, 1, 0, 1])]),
    1,
  ],
  ['more than any query needs', Buffer.concat([query('web'), Buffer.alloc(5000)]), 1],
];
for (const [what, bytes, rcode] of malformed) {
  test(`${rcode === undefined ? 'ignores' : 'answers FORMERR to'} ${what}`, async () => {
    await withServer(async ({ udp }) => {
      const reply = await exchange(udp, bytes);
      assert.is(reply && reply.readUInt8(3) & 0x0f, rcode);
    });
  });
}

test('answers queries that arrive together or in pieces on one connection', async () => {
  await withServer(async ({ tcp }) => {
    const socket = connect(tcp, LOCAL);
    const replies: Buffer[] = [];
    socket.on('data', (bytes) => replies.push(bytes));
    const framed = dnsPacket.streamEncode(dnsPacket.decode(query('web')));
    socket.write(Buffer.concat([framed, framed, framed.subarray(0, 1)]));
    await sleep(20);
    socket.write(framed.subarray(1, 5));
    await sleep(20);
    socket.write(framed.subarray(5));
    const size = 2 + (await exchangeSize(tcp));
    while (Buffer.concat(replies).length < 3 * size) await once(socket, 'data');
    assert.is(Buffer.concat(replies).length, 3 * size);
    socket.destroy();
  });
});

async function exchangeSize(port: number): Promise<number> {
  return Number(/MSG SIZE\s+rcvd: (\d+)/.exec(await dig(port, '+tcp', '+noedns', 'web', 'A'))?.[1]);
}

test('takes 32 connections and closes further ones, until one ends', async () => {
  await withServer(async ({ tcp }) => {
    const sockets = Array.from({ length: 32 }, () => connect(tcp, LOCAL));
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    const extra = connect(tcp, LOCAL);
    await once(extra, 'close');
    sockets[0]?.destroy();
    await sleep(50);
    assert.is(await dig(tcp, '+tcp', '+short', 'web', 'A'), '10.10.0.2\n');
    for (const socket of sockets) socket.destroy();
  });
});

test.run();
