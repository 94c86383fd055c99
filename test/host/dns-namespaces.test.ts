/* Name servers inside real network namespaces, asked with dig and getent from there. */
import { execFile } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import dnsPacket from 'dns-packet';
import { socketInNamespace } from 'libbpf-ts-bindings';
import pino from 'pino';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { DnsServers, type Namespace } from '../../src/dns/servers.js';
import { inContainer } from '../../src/lab/exec.js';
import { type Endpoint, type Network, randomId } from '../../src/model/records.js';
import { ClusterView } from '../../src/model/view.js';

const run = promisify(execFile);
const log = pino({ enabled: false });
const common = { labels: {}, createdAt: '2024-01-01T00:00:00.000Z' };
const [app, db, vault, node] = [randomId(), randomId(), randomId(), randomId()];

const network = (id: string, name: string, subnet: string, internal = false): Network => ({
  ...{ ...common, id, name, vni: 4096, internal, mtu: 1450, options: {} },
  subnets: [{ subnet, gateway: null }],
});
const endpoint = (net: string, name: string, addresses: string[]): Endpoint => ({
  ...{
    ...common,
    id: randomId(),
    network: net,
    node,
    name,
    addresses,
    aliases: [],
    mac: '02:00:00:00:00:01',
  },
});

function someView(): ClusterView {
  const view = new ClusterView();
  view.putAlive(node);
  view.putNetwork(network(app, 'app', '10.10.0.0/24'));
  view.putNetwork(network(db, 'db', '10.20.0.0/24'));
  view.putNetwork(network(vault, 'vault', '10.30.0.0/24', true));
  view.putEndpoint(endpoint(app, 'web', ['10.10.0.2', 'fd00::2']));
  view.putEndpoint(endpoint(db, 'store', ['10.20.0.2']));
  view.putEndpoint(endpoint(vault, 'safe', ['10.30.0.2']));
  return view;
}

interface Stage {
  servers: DnsServers;
  view: ClusterView;
  /** Makes a namespace with `lo` up. */
  add: () => Promise<Namespace>;
  /** The answer's data, a line per record, or its status. */
  dig: (namespace: Namespace, ...args: string[]) => Promise<string>;
}

let count = 0;

async function onStage(body: (stage: Stage) => Promise<void>, resolvConf = '/nonexistent'): Promise<void> {
  const names: string[] = [];
  const view = someView();
  const servers = new DnsServers({ view, log, resolvConf });
  const add = async () => {
    const name = `pt-dns-${process.pid}-${++count}`;
    await run('ip', ['netns', 'add', name]);
    names.push(name);
    await run('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
    const file = `/run/netns/${name}`;
    return { path: file, inode: (await stat(file)).ino };
  };
  const dig = async (namespace: Namespace, ...args: string[]) => {
    const options = ['@127.0.0.11', '+tries=1', '+time=5', ...args];
    const { stdout } = await inside(namespace, 'dig', ...options);
    const status = /status: (\w+)/.exec(stdout)?.[1];
    return stdout.includes('status:') && status !== 'NOERROR' ? (status ?? '') : stdout.trim();
  };
  try {
    await body({ servers, view, add, dig });
  } finally {
    await servers.close();
    for (const name of names) await run('ip', ['netns', 'del', name]).catch(() => {});
  }
}

function inside(namespace: Namespace, ...argv: string[]): Promise<{ stdout: string }> {
  return run('ip', ['netns', 'exec', path.basename(namespace.path), ...argv]);
}

const test = suite('name servers in namespaces');

test('answers at 127.0.0.11 inside over UDP and TCP, and nowhere else', async () => {
  await onStage(async ({ servers, add, dig }) => {
    const [served, bare] = [await add(), await add()];
    await servers.ensure(served, [app]);
    assert.is(await dig(served, '+short', 'web', 'A'), '10.10.0.2');
    assert.is(await dig(served, '+short', 'web', 'AAAA'), 'fd00::2');
    assert.is(await dig(served, '+short', '+tcp', 'web.app', 'A'), '10.10.0.2');
    assert.is(await dig(served, '+short', '-x', '10.10.0.2'), 'web.app.');
    await dig(bare, 'web').then(
      () => assert.unreachable('a namespace without a server has one'),
      (error: { stdout: string }) =>
        assert.match(error.stdout, /connection refused|no servers could be reached/),
    );
  });
});

test("answers the C library's resolver", async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'plait-dns-'));
  const resolvConf = path.join(directory, 'resolv.conf');
  await writeFile(resolvConf, 'nameserver 127.0.0.11\noptions ndots:0\n');
  try {
    await onStage(async ({ servers, add }) => {
      const served = await add();
      const getent = (...args: string[]) => {
        const { file, args: argv } = inContainer(served.path, ['getent', ...args], resolvConf);
        return run(file, argv);
      };
      // With loopback addresses alone, the library does not ask for IPv4 (AI_ADDRCONFIG).
      await run('ip', ['-n', path.basename(served.path), 'addr', 'add', '10.10.0.77/32', 'dev', 'lo']);
      await servers.ensure(served, [app]);
      assert.match((await getent('ahostsv4', 'web')).stdout, /^10\.10\.0\.2\s+STREAM web/);
      assert.match((await getent('hosts', '10.10.0.2')).stdout, /^10\.10\.0\.2\s+web\.app/);
      const unknown = await getent('hosts', 'nobody').catch((error: { code: number }) => error);
      assert.is('code' in unknown && unknown.code, 2, 'getent: not found');
    });
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('serves the names of both networks of a namespace, and follows changes at once', async () => {
  await onStage(async ({ servers, view, add, dig }) => {
    const both = await add();
    await servers.ensure(both, [app]);
    assert.is(await dig(both, 'store'), 'NXDOMAIN');
    await servers.ensure(both, [app, db]);
    assert.is(await dig(both, '+short', 'store'), '10.20.0.2');
    assert.is(await dig(both, '+short', 'web', 'A'), '10.10.0.2');
    view.putEndpoint(endpoint(db, 'late', ['10.20.0.9']));
    assert.is(await dig(both, '+short', 'late'), '10.20.0.9');
    await servers.ensure(both, [db]);
    assert.is(await dig(both, 'web'), 'NXDOMAIN');
    assert.is(servers.stats().namespaces, 1);
  });
});

test("keeps one namespace's names from another", async () => {
  await onStage(async ({ servers, add, dig }) => {
    const [one, other] = [await add(), await add()];
    await Promise.all([servers.ensure(one, [app]), servers.ensure(other, [vault])]);
    assert.is(await dig(one, 'safe'), 'NXDOMAIN');
    assert.is(await dig(other, '+short', 'safe'), '10.30.0.2');
    assert.is(await dig(other, 'web'), 'NXDOMAIN');
  });
});

test("forwards from the agent's own namespace, where the container could not", async () => {
  const upstream = createSocket('udp4');
  upstream.on('message', (query, from) => {
    const { id, questions } = dnsPacket.decode(query);
    const name = questions?.[0]?.name ?? '';
    const answers = [{ type: 'A' as const, name, ttl: 60, data: '192.0.2.80' }];
    upstream.send(
      dnsPacket.encode({ type: 'response', id, flags: 0x0180, questions, answers }),
      from.port,
      from.address,
    );
  });
  // Any address of 127.0.0.0/8 is this host's own; the port must be 53, as for every resolver.
  const address = `127.53.${(process.pid >> 8) & 0xff}.${process.pid & 0xff}`;
  upstream.bind(53, address);
  await once(upstream, 'listening');
  const directory = await mkdtemp(path.join(tmpdir(), 'plait-dns-'));
  const resolvConf = path.join(directory, 'resolv.conf');
  try {
    await writeFile(resolvConf, `nameserver 127.0.0.11\nnameserver ${address}\n`);
    await onStage(async ({ servers, add, dig }) => {
      const [open, closed] = [await add(), await add()];
      await servers.ensure(open, [app]);
      await servers.ensure(closed, [vault]);
      assert.is(await dig(open, '+short', 'example.com'), '192.0.2.80');
      assert.is(await dig(closed, 'example.com'), 'NXDOMAIN');
      assert.is(servers.stats().forwarded, 1);
    }, resolvConf);
  } finally {
    upstream.close();
    await rm(directory, { recursive: true });
  }
});

test('stops when released, and lets the namespace go', async () => {
  await onStage(async ({ servers, add, dig }) => {
    const served = await add();
    await servers.ensure(served, [app]);
    await dig(served, '+tcp', 'web');
    await servers.release(served.inode);
    await dig(served, 'web').then(
      () => assert.unreachable('a released namespace is still served'),
      () => {},
    );
    await servers.ensure(served, [app]);
    assert.is(await dig(served, '+short', 'web', 'A'), '10.10.0.2');
    await servers.release(served.inode);
    await servers.release(served.inode);
    assert.equal(await socketsAt53(served), '');
  });
});

async function socketsAt53(namespace: Namespace): Promise<string> {
  return (await inside(namespace, 'ss', '-Hlntu', 'sport', '=', ':53')).stdout;
}

test('says why it cannot serve a namespace, and keeps nothing of it', async () => {
  await onStage(async ({ servers, add }) => {
    const taken = await add();
    const squatter = squat(taken);
    await rejects(
      servers.ensure(taken, [app]),
      /^answer names in \/run\/netns\/.*: .*address already in use/i,
    );
    await rejects(servers.ensure({ path: '/run/netns/none', inode: 1 }, [app]), /\/run\/netns\/none/);
    assert.is(servers.stats().namespaces, 0);
    assert.match(await socketsAt53(taken), /^udp\s[^\n]*\n$/);
    squatter.close();
    await servers.ensure(taken, [app]);
  });
});

/** Somebody else at 127.0.0.11:53. */
function squat({ path: netns }: Namespace): Socket {
  const socket = createSocket('udp4').unref();
  socket.bind({ fd: socketInNamespace({ netns, type: 'udp', address: '127.0.0.11', port: 53 }) });
  return socket;
}

async function rejects(promise: Promise<unknown>, message: RegExp): Promise<void> {
  const error = await promise.then(
    () => new Error('nothing was thrown'),
    (thrown: unknown) => thrown as Error & { code?: string },
  );
  assert.match(error.message, message, error.message);
  assert.is('code' in error && error.code, 'DNS_BIND');
}

test('leaks no descriptor over a hundred rounds', async () => {
  await onStage(async ({ servers, add }) => {
    const served = await add();
    await servers.ensure(served, [app]);
    await servers.release(served.inode);
    const before = (await readdir('/proc/self/fd')).length;
    for (let round = 0; round < 100; round++) {
      await servers.ensure(served, [app]);
      await servers.release(served.inode);
    }
    assert.is((await readdir('/proc/self/fd')).length, before);
  });
});

test.run();
