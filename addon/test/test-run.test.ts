import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  attachTc,
  type BpfObject,
  interfaceIndex,
  openObject,
  skbContext,
  skbContextCodec,
  u32,
  u64,
  xdpContext,
  xdpContextCodec,
} from '../lib/index.js';
import { bpftool, Cleanup, compile, failsWith, inNamespace, makeNamespace } from './support.js';

const cleanup = new Cleanup();
const test = suite('test run');
let object: BpfObject;

test.before(async () => {
  object = openObject(compile(cleanup, 'basic'));
  cleanup.add(() => object.close());
  await object.load();
});
test.after(() => cleanup.run());

const packet = Buffer.alloc(64, 1);

function countGreen(): bigint {
  const values = object.map('color_counts').typedPerCpu(u32, u64).get(1) ?? [];
  return values.reduce((sum, n) => sum + n, 0n);
}

test('a run gives verdict, packet and time', () => {
  const { retval, data, durationNs } = object.program('show_constants').testRun({ data: packet });
  assert.is(retval, 0);
  assert.is(data.length, 64);
  assert.not.equal(data, packet);
  assert.ok(durationNs > 0);
});

test('repeat runs that many times', () => {
  const before = countGreen();
  const { retval } = object.program('count_green').testRun({ data: packet, repeat: 1000 });
  assert.is(retval, 0xffffffff);
  assert.is(countGreen() - before, 1000n);
});

test('the context goes in and comes out', () => {
  const { ctx } = object
    .program('emit_records')
    .testRun({ data: packet, ctx: skbContext({ mark: 5, cb: [1, 2, 3, 4, 5] }) });
  const after = skbContextCodec.decode(ctx ?? Buffer.alloc(0));
  assert.equal([after.mark, after.cb], [105, [1, 2, 3, 4, 5]]);
});

test('a packet of segments can be had', () => {
  const ctx = skbContext({ gsoSize: 20, gsoSegs: 3 });
  const run = object.program('count_green').testRun({ data: packet, ctx });
  const after = skbContextCodec.decode(run.ctx ?? Buffer.alloc(0));
  assert.equal([after.gsoSize, after.gsoSegs], [20, 3]);
});

test('devices are those of the namespace that is named', () => {
  const { path } = makeNamespace(cleanup);
  inNamespace({ name: '', path }, 'ip link add there type veth peer name here');
  const ifindex = interfaceIndex('there', path);
  const program = object.program('count_green');
  const options = { data: packet, ctx: skbContext({ ifindex }), netns: path };
  for (const run of [program.testRun(options), program.testRun({ data: packet, ifindex, netns: path })]) {
    assert.is(skbContextCodec.decode(run.ctx ?? Buffer.alloc(0)).ifindex, ifindex);
  }
  const xdp = object.program('pass_xdp').testRun({ data: packet, ifindex, netns: path });
  assert.is(xdpContextCodec.decode(xdp.ctx ?? Buffer.alloc(0)).ingressIfindex, ifindex);
  failsWith('ENODEV', () =>
    program.testRun({ data: packet, ctx: skbContext({ ifindex: 0x7ffffff0 }), netns: path }),
  );
});

test('room for less than what comes out is an error, none is none', () => {
  const program = object.program('count_green');
  assert.match(
    failsWith('ENOSPC', () => program.testRun({ data: packet, dataOutSize: 10 })).message,
    /64 bytes/,
  );
  assert.is(program.testRun({ data: packet, dataOutSize: 0 }).data.length, 0);
});

test('a context that is too short for its kind is called that', () => {
  const program = object.program('count_green');
  for (const dataOutSize of [0, 64]) {
    const error = failsWith('ENOSPC', () =>
      program.testRun({ data: packet, ctx: new Uint8Array(24), dataOutSize }),
    );
    assert.match(error.message, /ctx is less than the \d+ bytes of its kind/);
  }
});

test('XDP programs run too', () => {
  const run = object
    .program('pass_xdp')
    .testRun({ data: packet, ctx: xdpContext({ dataEnd: packet.length }) });
  assert.is(run.retval, 2);
  assert.is(xdpContextCodec.decode(run.ctx ?? Buffer.alloc(0)).dataEnd, packet.length);
});

test('live frames are received by the device for real, and nothing comes back', () => {
  const { path } = makeNamespace(cleanup);
  const inside = { name: '', path };
  inNamespace(inside, 'ip link add there address 02:00:00:00:00:01 type veth peer name here');
  for (const name of ['there', 'here']) inNamespace(inside, `ip link set ${name} up`);
  const ifindex = interfaceIndex('there', path);
  const link = attachTc(object.program('count_green'), { ifindex, direction: 'ingress', netns: path });
  const before = countGreen();
  const frame = Buffer.concat([Buffer.from('020000000001020000000002ffff', 'hex'), Buffer.alloc(50)]);
  const options = { data: frame, ifindex, netns: path, live: true } as const;
  const xdp = object.program('pass_xdp');
  const run = xdp.testRun({ ...options, repeat: 1000, batchSize: 32 });
  assert.equal([run.retval, run.data.length, run.ctx], [0, 0, undefined]);
  assert.ok(run.durationNs > 0);
  const received = countGreen() - before;
  link.close();
  assert.ok(received >= 1000n && received < 1010n, `${received}: those, and perhaps some of IPv6's own`);
  failsWith('E2BIG', () => xdp.testRun({ ...options, batchSize: 257 }));
  failsWith('EINVAL', () => xdp.testRun({ ...options, dataOutSize: 100 }));
  failsWith('EINVAL', () => xdp.testRun({ data: frame, batchSize: 32 }));
  failsWith('EINVAL', () => object.program('count_green').testRun({ data: packet, live: true }));
});

test('what the kernel refuses is an error', () => {
  const program = object.program('count_green');
  failsWith('EINVAL', () => program.testRun({ data: new Uint8Array(13) }));
  failsWith('EINVAL', () => program.testRun({ data: packet, ctx: new Uint8Array(192).fill(1, 0, 4) }));
  failsWith('EINVAL', () => program.testRun({ data: packet, repeat: -1 }));
  failsWith('EINVAL', () => program.testRun({ data: 'text' as unknown as Uint8Array }));
  failsWith('E2BIG', () => program.testRun({ data: packet, dataOutSize: 1 << 30 }));
});

test('a program knows what bpftool knows', () => {
  const program = object.program('count_green');
  const shown = bpftool('prog', 'show', 'id', String(program.id)) as Record<string, unknown>;
  assert.equal([program.tag, program.name, program.type], [shown.tag, shown.name, shown.type]);
  assert.equal(program.info().mapIds, shown.map_ids);
  assert.ok(program.verifiedInstructions > 0);
});

test.run();
