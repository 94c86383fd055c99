// timeout: 300 s

// Two hosts with native XDP on their underlay's veths, asked for by PLAIT_XDP: traffic is right, bad VXLAN ends there,
// nothing of it needs the agent, and no agent needs it.

import * as assert from 'uvu/assert';
import type { Lab } from '../../src/lab/lab.js';
import { waitFor } from '../../src/lab/wait.js';
import type { StatusAnswer, VerifyAnswer } from '../../src/model/api.js';
import { allReach, attach, type Container, dropped, iperf, reach } from './support/containers.js';
import { strangeVxlan } from './support/frames.js';
import { sendFrame } from './support/raw.js';
import { scenarios } from './support/scenarios.js';

process.env.PLAIT_XDP = 'native';

const DEVICE = 'eth0';
let one: Container;
let two: Container;

const { scenario, run } = scenarios({ nodes: 2, plainHosts: ['k1'] }, async (lab) => {
  await lab.plait('n1', 'network create --subnet 10.10.0.0/24 --ipv6 app');
  one = await attach(lab, 'n1', 'c1');
  two = await attach(lab, 'n2', 'c2');
  await allReach(lab, [one, two]);
});

const status = (lab: Lab, node = 'n1'): Promise<StatusAnswer> => lab.client(node).get('/v1/status');

async function restart(lab: Lab, node: string, option: string): Promise<void> {
  await lab.killAgent(node, 'SIGTERM');
  process.env.PLAIT_XDP = option;
  await lab.startAgent(node);
}

/** Mode 1 is native. */
async function shown(lab: Lab, node = 'n1'): Promise<{ mode: number; prog: { id: number } } | undefined> {
  return JSON.parse(await lab.sh(node, `ip -j -d link show ${DEVICE}`))[0].xdp;
}

/** What k1 sends to n1, and how n1's counters grow by it. */
async function strangers(lab: Lab, count: number): Promise<[reason: number, byXdp: number]> {
  const mac = JSON.parse(await lab.sh('n1', `ip -j link show ${DEVICE}`))[0].address as string;
  const before = await dropped(lab, 'n1');
  await sendFrame(lab, 'k1', DEVICE, strangeVxlan(mac), count);
  const after = await dropped(lab, 'n1');
  const growth = (name: string): number => (after[name] ?? 0) - (before[name] ?? 0);
  return [growth('unknown-vni'), growth('filtered')];
}

scenario('status shows the mode, and says nothing of a fault', async (lab) => {
  const text = await lab.plait('n1', 'status');
  assert.match(text, /^xdp: +native on eth0 \(--xdp native\)$/m);
  assert.equal((await status(lab)).warnings, []);
  assert.is((await shown(lab))?.mode, 1);
});

for (const [what, tx] of [
  ['with the senders’ checksum offload', 'on'],
  ['without it', 'off'],
]) {
  scenario(`TCP and UDP both ways, both IP versions, ${what}`, async (lab) => {
    for (const name of ['c1', 'c2']) await lab.sh(name, `ethtool -K eth0 tx ${tx}`);
    await allReach(lab, [one, two]);
    for (const [from, to, address] of [
      ['c1', 'c2', two.address],
      ['c2', 'c1', one.address],
      ['c1', 'c2', two.address6],
    ] as const) {
      const before = [await dropped(lab, 'n1'), await dropped(lab, 'n2')];
      const speed = await iperf(lab, from, to, address);
      console.log(`NOTE TCP over native XDP on veth, tx ${tx}, to ${address}: ${speed} Gbit/s`);
      assert.ok(speed > 0.05, `${speed} Gbit/s`);
      const after = [await dropped(lab, 'n1'), await dropped(lab, 'n2')];
      assert.equal(after.map(dropsOf), before.map(dropsOf));
      assert.ok(
        after.every((now, n) => (now['remote-received'] ?? 0) > (before[n]?.['remote-received'] ?? 0)),
      );
    }
    assert.match(await lab.sh('c2', 'nstat -asz TcpInCsumErrors UdpInCsumErrors'), /TcpInCsumErrors +0 /);
  });
}

/** Nothing of what the two send each other. */
const dropsOf = (counters: Record<string, number>): number[] =>
  ['bad-vxlan', 'truncated', 'unlisted-sender', 'unknown-vni', 'filtered'].map((name) => counters[name] ?? 0);

scenario('what a stranger sends ends in XDP, counted once, and is sampled as its work', async (lab) => {
  const following = lab.start('n1', 'plait drops --follow');
  try {
    await waitFor('a sample', async () => {
      await strangers(lab, 1);
      return /underlay_filter/.test(following.stdout);
    });
  } finally {
    await following.stop('SIGKILL');
  }
  assert.equal(await strangers(lab, 50), [50, 50]);
});

scenario('an agent that is killed leaves it at work, and the next one finds it', async (lab) => {
  const before = await shown(lab);
  await lab.killAgent('n1');
  assert.equal(await shown(lab), before);
  await reach(lab, 'c2', one.address);
  await lab.startAgent('n1');
  assert.equal(await shown(lab), before);
  assert.equal(await strangers(lab, 5), [5, 5]);
});

scenario('what is detached is told by verify', async (lab) => {
  const link = `${lab.root('n1')}/bpf/links/underlay_filter`;
  await lab.sh('n1', `bpftool link detach pinned ${link}`);
  const { differences } = await lab.client('n1').get<VerifyAnswer>('/v1/verify');
  assert.equal(
    differences.map(({ table, key, actual }) => [table, key, actual]),
    [['links', 'underlay_filter', 'detached']],
  );
  await reach(lab, 'c2', one.address);
  await restart(lab, 'n1', 'native');
  assert.is((await shown(lab))?.mode, 1);
});

scenario('with auto the next agent takes it off a veth, and says why', async (lab) => {
  await restart(lab, 'n1', 'auto');
  assert.is(await shown(lab), undefined);
  assert.match(
    await lab.plait('n1', 'status'),
    /^xdp: +off \(--xdp auto\): eth0 is a veth: XDP there takes /m,
  );
  assert.equal((await status(lab)).warnings, []);
  await reach(lab, 'c2', one.address);
  assert.equal(await strangers(lab, 5), [5, 0]);
});

scenario('where somebody else’s program is, ours is not, which is told; traffic goes on', async (lab) => {
  const object = `${lab.root('n1')}/bpf/progs/underlay_filter`;
  await lab.sh('n1', `ip link set dev ${DEVICE} xdpdrv pinned ${object}`);
  const theirs = await shown(lab);
  await restart(lab, 'n1', 'native');
  assert.equal(await shown(lab), theirs);
  const { xdp, warnings } = await status(lab);
  assert.equal([xdp.option, xdp.mode], ['native', null]);
  assert.match(xdp.reason ?? '', `eth0 has another XDP program (id ${theirs?.prog.id}), which stays`);
  assert.equal(warnings, [`XDP is not in use, bad VXLAN is dropped after GRO instead: ${xdp.reason}`]);
  assert.is((await lab.try('n1', ['plait', 'status'])).status, 3);
  await lab.plait('n1', 'verify');
  await reach(lab, 'c2', one.address);
  await lab.sh('n1', `ip link set dev ${DEVICE} xdpdrv off`);
});

scenario('leaving the cluster takes it off', async (lab) => {
  await restart(lab, 'n1', 'native');
  assert.is((await shown(lab))?.mode, 1);
  await lab.plait('n1', 'leave --force');
  assert.is(await shown(lab), undefined);
});

run();
