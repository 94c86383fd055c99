// timeout: 240 s

// What a worker gets of etcd: tried with etcdctl and with bytes of our own, by the certificate of a worker that is one.
// What was refused is looked for in etcd afterwards, by a manager.

import { execFileSync } from 'node:child_process';
import protobuf from 'protobufjs';
import * as assert from 'uvu/assert';
import { frame } from '../../src/cluster/guard/messages.js';
import { JOIN_PORT } from '../../src/cluster/membership-file.js';
import type { Lab } from '../../src/lab/lab.js';
import { waitFor } from '../../src/lab/wait.js';
import type { NodeAnswer } from '../../src/model/api.js';
import { randomId } from '../../src/model/records.js';
import { ask, filesOf } from './support/outsider.js';
import { scenarios } from './support/scenarios.js';

const ROOT = new protobuf.Root().loadSync('node_modules/etcd3/proto/rpc.proto');
let self = '';
let other = '';

const { scenario, run } = scenarios({ nodes: 3, managers: 1 }, async (lab) => {
  const nodes = JSON.parse(await lab.plait('n1', 'node ls --format json')) as NodeAnswer[];
  const idOf = (name: string): string => nodes.find((node) => node.name === name)?.id ?? '';
  [self, other] = [idOf('n2'), idOf('n3')];
});

const port = (lab: Lab): string => `https://${lab.node('n1').vtep}:${JOIN_PORT}`;

/** As n2, which is a worker, by way of the manager's port. */
async function ctl(lab: Lab, ...words: string[]): Promise<{ ok: boolean; said: string }> {
  const { ca, certificate, key } = filesOf(lab, 'n2');
  const line = ['etcdctl', '--endpoints', port(lab), '--cacert', ca, '--cert', certificate, '--key', key];
  const command = [...line, '--command-timeout=5s', '--dial-timeout=3s', ...words];
  const { status, stdout, stderr } = await lab.try('n2', ['env', 'ETCDCTL_API=3', ...command]);
  return { ok: status === 0, said: stdout + stderr };
}

/** As the manager, to etcd itself. */
function truth(lab: Lab, ...words: string[]): string {
  const { ca, certificate, key } = filesOf(lab, 'n1');
  const line = `--endpoints https://127.0.0.1:2379 --cacert ${ca} --cert ${certificate} --key ${key}`;
  return execFileSync('nsenter', [`--net=${lab.netns('n1')}`, 'etcdctl', ...line.split(' '), ...words], {
    encoding: 'utf8',
    env: { ...process.env, ETCDCTL_API: '3' },
  });
}

async function denied(lab: Lab, ...words: string[]): Promise<void> {
  const { ok, said } = await ctl(lab, ...words);
  assert.not.ok(ok, `${words.join(' ')}: ${said}`);
  assert.match(said, /PermissionDenied|permission denied/i, words.join(' '));
  assert.match(said, `node ${self} is a worker`, words.join(' '));
}

scenario('a worker reads what all may read, and watches it', async (lab) => {
  assert.match((await ctl(lab, 'get', '--prefix', '/plait/nodes/')).said, /"name":"n3"/);
  assert.match((await ctl(lab, 'get', '--prefix', '--keys-only', '/plait/specs/')).said, self);
  assert.match((await ctl(lab, 'get', '/plait/cluster')).said, 'certExpirySeconds');
});

scenario('its own record and sign of life it writes, and takes away', async (lab) => {
  const before = (await ctl(lab, 'get', '--print-value-only', `/plait/nodes/${self}`)).said.trim();
  assert.ok((await ctl(lab, 'put', `/plait/nodes/${self}`, before)).ok);
  assert.ok((await ctl(lab, 'del', `/plait/alive/${self}`)).ok);
  await waitFor('it to say again that it lives', () => truth(lab, 'get', `/plait/alive/${self}`) !== '');
});

const OTHERS = [
  ['the key of the CA', 'get', '/plait/secrets/ca'],
  ['tokens', 'get', '--prefix', '/plait/secrets/tokens/'],
  ['a range with secrets in it', 'get', '--prefix', '/plait/'],
  ['a range that begins before them', 'get', '/plait/s', '/plait/t'],
  ['everything', 'get', '--prefix', ''],
  ['all from a key on', 'get', '--from-key', '/plait/n'],
  ['what is not below the prefix', 'get', '/other'],
] as const;

for (const [what, ...words] of OTHERS) {
  scenario(`not read: ${what}`, (lab) => denied(lab, ...words));
}

scenario('not written: the keys of others, and nothing of it is done', async (lab) => {
  const keys = [
    `/plait/nodes/${other}`,
    `/plait/alive/${other}`,
    `/plait/specs/${self}`,
    `/plait/nodes/${self}x`,
    '/plait/cluster',
    `/plait/endpoints/${randomId()}/${self}/${randomId()}`,
    `/plait/ipam/${randomId()}/10.10.0.9`,
    '/plait/names/node/n3',
    '/plait/secrets/tokens/worker',
  ];
  const before = truth(lab, 'get', '--prefix', '/plait/', '--keys-only');
  const spec = truth(lab, 'get', `/plait/specs/${self}`);
  for (const key of keys) {
    await denied(lab, 'put', key, '{}');
    await denied(lab, 'del', key);
  }
  await denied(lab, 'del', '--prefix', `/plait/nodes/${self}`);
  assert.is(truth(lab, 'get', '--prefix', '/plait/', '--keys-only'), before);
  assert.is(truth(lab, 'get', `/plait/specs/${self}`), spec);
});

scenario('no call but these: alarm, members, snapshot, compaction, users', async (lab) => {
  await denied(lab, 'alarm', 'list');
  await denied(lab, 'alarm', 'disarm');
  await denied(lab, 'member', 'add', 'x', '--peer-urls=https://192.0.2.9:2380');
  await denied(lab, 'snapshot', 'save', '/dev/null');
  await denied(lab, 'compaction', '2');
  await denied(lab, 'defrag');
  await denied(lab, 'user', 'add', 'mallory:x');
  await denied(lab, 'auth', 'enable');
});

scenario('leases: not another’s, none of a chosen id, none for years', async (lab) => {
  const alive = JSON.parse(
    truth(lab, 'get', '-w', 'json', `/plait/alive/${other}`).replaceAll(/"lease":(\d+)/g, '"lease":"$1"'),
  ) as {
    kvs: { lease: string }[];
  };
  const lease = BigInt(alive.kvs[0]?.lease ?? 0).toString(16);
  await denied(lab, 'lease', 'revoke', lease);
  await denied(lab, 'lease', 'grant', '100000');
  await denied(lab, 'put', `--lease=${lease}`, `/plait/nodes/${self}`, '{}');
  assert.match(truth(lab, 'get', `/plait/alive/${other}`), other);
});

/** A call made of any message, compressed or cut if asked; gRPC's status and message. */
async function raw(
  lab: Lab,
  path: string,
  bytes: Buffer,
): Promise<{ status: string; message: string; data: Buffer }> {
  const { ca, certificate, key } = filesOf(lab, 'n2');
  const script = `
    const http2 = require('node:http2'), fs = require('node:fs');
    const session = http2.connect(process.argv[1], { ca: fs.readFileSync('${ca}'), cert: fs.readFileSync('${certificate}'),
      key: fs.readFileSync('${key}'), servername: 'localhost' });
    const stream = session.request({ ':method': 'POST', ':path': process.argv[2], 'content-type': 'application/grpc', te: 'trailers' });
    let status, message, data = [];
    const take = (headers) => { status ??= headers['grpc-status']; message ??= headers['grpc-message']; };
    stream.on('response', take).on('trailers', take).on('data', (chunk) => data.push(chunk)).on('error', () => {});
    stream.on('close', () => { console.log(JSON.stringify({ status, message: decodeURIComponent(message ?? ''), data: Buffer.concat(data).toString('hex') })); session.destroy(); });
    setTimeout(() => stream.close(), 3000).unref();
    stream.end(Buffer.from(process.argv[3], 'hex'));`;
  const said = await lab.exec('n2', [process.execPath, '-e', script, port(lab), path, bytes.toString('hex')]);
  const {
    status = '',
    message,
    data,
  } = JSON.parse(said) as { status?: string; message: string; data: string };
  return { status, message, data: Buffer.from(data, 'hex') };
}

const encode = (type: string, message: object): Buffer =>
  Buffer.from(ROOT.lookupType(`etcdserverpb.${type}`).encode(message).finish());
const KV = '/etcdserverpb.KV/';
const bytes = (text: string): Buffer => Buffer.from(text);

scenario('not watched: secrets, nor ranges with them, nor all from a key on', async (lab) => {
  const ranges = [
    { key: bytes('/plait/secrets/ca') },
    { key: bytes('/plait/'), rangeEnd: bytes('/plait0') },
    { key: bytes('/plait/n'), rangeEnd: Buffer.of(0) },
    { key: bytes('/plait/specs/'), rangeEnd: bytes('/q') },
  ];
  for (const createRequest of ranges) {
    const request = frame(encode('WatchRequest', { createRequest })) as Buffer;
    const { status, message, data } = await raw(lab, '/etcdserverpb.Watch/Watch', request);
    assert.equal([status, data.length], ['7', 0], message);
  }
});

scenario('a transaction in a transaction is looked into, on both branches', async (lab) => {
  const inner = { success: [{ requestRange: { key: bytes('/plait/secrets/ca') } }] };
  const steal = { success: [], failure: [{ requestTxn: inner }] };
  for (const txn of [steal, { success: [{ requestTxn: { failure: inner.success } }] }]) {
    const { status, message, data } = await raw(lab, `${KV}Txn`, frame(encode('TxnRequest', txn)) as Buffer);
    assert.is(status, '7', message);
    assert.match(message, 'is for managers');
    assert.is(data.length, 0);
  }
  const promote = { success: [{ requestPut: { key: bytes(`/plait/specs/${self}`), value: bytes('{}') } }] };
  const { status } = await raw(
    lab,
    `${KV}Txn`,
    frame(encode('TxnRequest', { success: [{ requestTxn: promote }] })) as Buffer,
  );
  assert.is(status, '7');
});

scenario('of two operations in one, none is done', async (lab) => {
  const range = encode('RequestOp', { requestRange: { key: bytes('/plait/cluster') } });
  const put = encode('RequestOp', { requestPut: { key: bytes('/plait/cluster'), value: bytes('x') } });
  const op = Buffer.concat([range, put]);
  const txn = Buffer.concat([Buffer.of(0x12, op.length), op]); // field 2: success
  const { status, message } = await raw(lab, `${KV}Txn`, frame(txn) as Buffer);
  assert.is(status, '7', message);
  assert.not.match(truth(lab, 'get', '--print-value-only', '/plait/cluster'), /^x/);
});

scenario('fields that nobody knows do not reach etcd; what cannot be read is refused', async (lab) => {
  const range = Buffer.concat([
    encode('RangeRequest', { key: bytes('/plait/cluster') }),
    Buffer.of(0xf8, 0x07, 1),
  ]);
  assert.is((await raw(lab, `${KV}Range`, frame(range) as Buffer)).status, '0');
  const compressed = frame(encode('RangeRequest', { key: bytes('/plait/cluster') })) as Buffer;
  compressed[0] = 1;
  assert.is((await raw(lab, `${KV}Range`, compressed)).status, '3');
  const huge = Buffer.alloc(5);
  huge.writeUInt32BE(0xffff_ffff, 1);
  assert.is((await raw(lab, `${KV}Range`, huge)).status, '3');
  assert.is((await raw(lab, `${KV}Range`, frame(Buffer.from('ffffffff', 'hex')) as Buffer)).status, '3');
  assert.is.not((await raw(lab, `${KV}Range`, compressed.subarray(0, 9))).status, '0');
});

scenario('writes through managers: not another’s endpoint, name, or removal', async (lab) => {
  const files = filesOf(lab, 'n2');
  const network = JSON.parse(await lab.plait('n1', 'network ls --format json')) as { id: string }[];
  assert.equal(network, []);
  await lab.plait('n2', 'network create --subnet 10.10.0.0/24 app');
  const [{ id } = { id: '' }] = JSON.parse(await lab.plait('n1', 'network inspect app')) as { id: string }[];
  const endpoint = {
    ...{ id: randomId(), network: id, node: other, name: 'stolen', aliases: [], mac: '02:00:00:00:00:09' },
    ...{ addresses: ['10.10.0.9'], labels: {}, createdAt: new Date().toISOString() },
  };
  const say = (path: string, body: unknown) =>
    ask(lab, 'n2', `${port(lab)}/v1/writes/${path}`, { body, files });
  for (const [path, body] of [
    ['place-endpoints', [[endpoint]]],
    ['remove-endpoints', [[endpoint]]],
    ['remove-node', [{ id: other, name: 'n3' }]],
    [
      'claim-node-name',
      [{ id: other, name: 'n3', vtep: '192.0.2.3', version: '1', labels: {}, createdAt: endpoint.createdAt }],
    ],
  ] as const) {
    const { status, body: said } = await say(path, body);
    assert.equal([status, said.error?.code], [403, 'NOT_PERMITTED'], path);
  }
  const own = { ...endpoint, node: self };
  assert.is((await say('place-endpoints', [[own]])).status, 200, 'the same of its own is done');
  const twice = await say('place-endpoints', [
    [{ ...own, addresses: ['10.10.0.9'], id: randomId(), mac: '02:00:00:00:00:0a' }],
  ]);
  assert.ok('taken' in (twice.body.answer as object), 'an address is handed out once');
  const strange = await say('place-endpoints', [[{ ...own, addresses: ['not an address'] }]]);
  assert.equal([strange.status, strange.body.error?.code], [400, 'INVALID_INPUT']);
});

scenario('nonsense on the port hurts nobody', async (lab) => {
  await lab.exec('n2', [
    'sh',
    '-c',
    `head -c 100000 /dev/urandom | nc -q1 -w2 ${lab.node('n1').vtep} ${JOIN_PORT} || true`,
  ]);
  const long = await lab.exec('n2', [
    ...[
      'curl',
      '-ks',
      '-m',
      '10',
      '-o',
      '/dev/null',
      '-w',
      '%{http_code}',
      '-H',
      'content-type: application/json',
    ],
    ...['--data-binary', `@${process.execPath}`, `${port(lab)}/v1/join`],
  ]);
  assert.match(long, /413|000/);
  assert.match((await ctl(lab, 'get', '/plait/cluster')).said, 'certExpirySeconds');
  assert.ok(lab.isUp('n1'));
});

run();
