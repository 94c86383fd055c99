import dgram from 'node:dgram';
import { closeSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { features, interfaceIndex, socketInNamespace } from '../lib/index.js';
import {
  Cleanup,
  failsWith,
  inNamespace,
  makeVethPair,
  type Namespace,
  run,
  temporaryDirectory,
} from './support.js';

const cleanup = new Cleanup();
const test = suite('net');
let near: Namespace;
let far: Namespace;

test.before(() => {
  [near, far] = makeVethPair(cleanup);
});
test.after(() => cleanup.run());

test('an ifindex is the one that ip shows, in the namespace that is named', () => {
  const [shown] = JSON.parse(run('ip', '-n', near.name, '-j', 'link', 'show', 'v0')) as { ifindex: number }[];
  assert.is(interfaceIndex('v0', near.path), shown?.ifindex);
  assert.is(interfaceIndex('lo'), 1);
  assert.is(
    failsWith('ENODEV', () => interfaceIndex('v0')).message,
    'find interface v0: no such device (ENODEV)',
  );
  failsWith('ENODEV', () => interfaceIndex('much-too-long-a-name-for-an-interface'));
  failsWith('ENOENT', () => interfaceIndex('lo', '/run/netns/nowhere'));
});

test('a UDP socket of another namespace is served by this event loop', async () => {
  const fd = socketInNamespace({ netns: near.path, type: 'udp', address: '127.0.0.11', port: 5300 });
  const socket = dgram.createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind({ fd }, resolve));
  const received = new Promise((resolve) => socket.once('message', (message) => resolve(String(message))));
  inNamespace(near, `bash -c echo\${IFS}-n\${IFS}hello>/dev/udp/127.0.0.11/5300`);
  assert.is(await received, 'hello');
  assert.match(inNamespace(near, 'ss -Hlun'), /127\.0\.0\.11:5300/);
  socket.close();
});

test('a TCP socket of another namespace takes connections from there', async () => {
  const fd = socketInNamespace({ netns: near.path, type: 'tcp', address: '10.99.0.1', port: 5301 });
  const server = net.createServer((connection) => connection.end('welcome'));
  await new Promise<void>((resolve) => server.listen({ fd }, resolve));
  const { spawn } = await import('node:child_process');
  const client = spawn('nsenter', [`--net=${far.path}`, 'bash', '-c', 'cat < /dev/tcp/10.99.0.1/5301']);
  const chunks: Buffer[] = [];
  client.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  await new Promise((resolve) => client.once('close', resolve));
  assert.is(Buffer.concat(chunks).toString(), 'welcome');
  server.close();
});

test('a socket with a peer is connected to it, in that namespace', async () => {
  const at = { netns: far.path, type: 'tcp', address: '10.99.0.2' } as const;
  const server = net.createServer((connection) => connection.end(`${connection.remoteAddress}`));
  await new Promise<void>((resolve) =>
    server.listen({ fd: socketInNamespace({ ...at, port: 5303 }) }, resolve),
  );
  const peer = { address: '10.99.0.2', port: 5303 };
  const fd = socketInNamespace({ netns: near.path, type: 'tcp', address: '10.99.0.1', port: 0, peer });
  const client = new net.Socket({ fd });
  const chunks: Buffer[] = [];
  for await (const chunk of client) chunks.push(chunk as Buffer);
  assert.is(Buffer.concat(chunks).toString(), '10.99.0.1');
  await new Promise((resolve) => server.close(resolve));
  failsWith('EINVAL', () => socketInNamespace({ ...at, port: 0, peer: { address: 'far', port: 1 } }));
});

test("IPv6 and a port of the kernel's choice work", () => {
  const fd = socketInNamespace({ netns: near.path, type: 'udp', address: '::1', port: 0 });
  assert.match(inNamespace(near, 'ss -Hlun'), /\[::1\]:\d+/);
  closeSync(fd);
});

test('what cannot be bound is a clear error', () => {
  const at = { netns: near.path, type: 'udp', port: 5302 } as const;
  const error = failsWith('EADDRNOTAVAIL', () => socketInNamespace({ ...at, address: '192.0.2.77' }));
  assert.match(error.message, /^open udp socket 192\.0\.2\.77 port 5302 in \/run\/netns\/\S+: /);
  failsWith('EINVAL', () => socketInNamespace({ ...at, address: 'localhost' }));
  failsWith('EINVAL', () => socketInNamespace({ ...at, address: '127.0.0.1', port: 65536 }));
  failsWith('EINVAL', () => socketInNamespace({ ...at, address: '127.0.0.1', type: 'sctp' as 'udp' }));
  failsWith('ENOENT', () => socketInNamespace({ ...at, address: '127.0.0.1', netns: '/run/netns/nowhere' }));
  const fd = socketInNamespace({ ...at, address: '127.0.0.1' });
  failsWith('EADDRINUSE', () => socketInNamespace({ ...at, address: '127.0.0.1' }));
  closeSync(fd);
});

test('a path that is no namespace is refused without waiting for it', () => {
  const fifo = join(temporaryDirectory(cleanup), 'fifo');
  run('mkfifo', fifo);
  for (const path of [fifo, '/', '/proc/self/ns/mnt']) {
    assert.match(
      failsWith('EINVAL', () => interfaceIndex('lo', path)).message,
      /cannot enter the network namespace/,
    );
  }
});

test('the thread that asks stays in its own namespace', () => {
  const own = run('readlink', '/proc/self/ns/net');
  interfaceIndex('v0', near.path);
  for (const probe of Object.values(features)) probe();
  assert.is(run('readlink', '/proc/self/ns/net'), own);
});

test('probes answer, and answer the same again', () => {
  for (const [name, probe] of Object.entries(features)) {
    const answer = probe();
    console.log(`  ${name}: ${answer}`);
    assert.is(probe(), answer);
  }
  assert.is(features.ringBuffer(), true);
});

test.run();
