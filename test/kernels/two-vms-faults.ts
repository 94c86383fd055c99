// What happens to traffic while something happens to the agent, to the NIC or to its filters.

import * as assert from 'uvu/assert';
import type { Counters, Guest, Pair } from './two-vms-pair.js';
import type { Step } from './two-vms-steps.js';
import { assertFast, pingAll, tcpBothWays } from './two-vms-traffic.js';

const INTERVAL_S = 0.008; // 125 packets a second each way

interface Pinged {
  sent: number;
  received: number;
}

async function pinging(pair: Pair, action: () => Promise<unknown>): Promise<Pinged> {
  const { one, two } = pair;
  await one.sh(`start_ping ${two.address(4)} ${INTERVAL_S}`);
  let said = '';
  try {
    await action();
  } finally {
    said = await one.sh('end_ping');
  }
  const [sent = 0, received = 0] = said.split(' ').map(Number);
  assert.ok(sent > 100, said);
  return { sent, received };
}

/** Every packet must come back. Returns how many those were. */
async function losingNothing(pair: Pair, action: () => Promise<unknown>): Promise<number> {
  const { sent, received } = await pinging(pair, action);
  assert.is(received, sent);
  return received;
}

/** Programs and the places where they are attached, as the kernel tells. */
async function attachedTo(guest: Guest): Promise<string> {
  const script = `bpftool -j net show | jq -c '.[0].tc | map(select(.name | startswith("from_")))'
    for dev in eth0 plait0p plaitvx $(host_end); do tc -j filter show dev $dev ingress; done; ls -i /sys/fs/bpf/plait/links`;
  return guest.sh(script);
}

async function killedAgent(pair: Pair): Promise<string> {
  const before = await attachedTo(pair.one);
  const grown = await pair.one.growth(async () => {
    const count = await losingNothing(pair, async () => {
      await pair.one.sh('end_agent KILL; sleep 1.5');
      await pair.one.sh(`start_agent 1 ${pair.one.underlay(pair.underlay)}`);
    });
    assert.ok(count > 200, `${count} packets`);
  });
  assertFast(grown);
  const [said] = (await pair.one.sh('grep -m1 "datapath is in place" $AGENT_LOG')).split('\n');
  const { adopted } = JSON.parse(said ?? '{}') as { adopted?: boolean };
  assert.is(adopted, true, said);
  assert.is(await attachedTo(pair.one), before, 'the same programs at the same places');
  return `${grown['remote-sent']} packets sent`;
}

/** A native XDP program on the NIC, which passes and counts everything, and is taken off again in the end. */
async function withXdp(guest: Guest, action: () => Promise<unknown>): Promise<number> {
  await guest.sh('start_xdp eth0');
  try {
    assert.match(await guest.sh('ip link show eth0'), / xdp /, 'native');
    await action();
  } finally {
    await guest.sh('end_xdp');
  }
  assert.not.match(await guest.sh('ip link show eth0'), /xdp/);
  return Number(/counted (\d+)/.exec(await guest.sh('cat /run/xdp'))?.[1]);
}

async function nativeXdp(pair: Pair, guest: Guest): Promise<string> {
  let counted = 0;
  let grown: Counters = {};
  const { sent, received } = await pinging(pair, async () => {
    counted = await withXdp(guest, async () => {
      grown = await guest.growth(async () => {
        await pingAll(pair);
        await tcpBothWays(pair, 4);
      });
    });
  });
  // Attaching and detaching resets the NIC's queues: what is in them then is lost, whoever's it is.
  assert.ok(received > 0.8 * sent, `${received} of ${sent}`);
  assertFast(grown);
  assert.ok(counted > 200, `${counted} packets met the XDP program`);
  await pingAll(pair);
  return `${counted} packets met it`;
}

/**
 * Our own XDP on a virtio NIC, where `auto` does not go: taken at its word, it drops what is bad and nothing else. With
 * `deliver` it also takes the rest into the container, where each checksum has to be right: the other machine leaves them
 * to its NIC. That stays on: an agent takes half a minute to start there.
 */
async function ownXdp(pair: Pair, option: 'native' | 'deliver'): Promise<string> {
  const { one, two } = pair;
  const restart = (option: string): Promise<string> =>
    one.sh(`end_agent TERM; PLAIT_XDP=${option} start_agent 1 ${one.underlay(pair.underlay)}`);
  const status = (): Promise<{ mode: string | null; reason: string | null }> =>
    one.json('api GET /v1/status | jq -c .xdp');
  await restart(option);
  assert.is((await status()).mode, 'native', JSON.stringify(await status()));
  assert.match(await one.sh('ip link show eth0'), / xdp /, 'native');
  const grown = await one.growth(async () => {
    await pingAll(pair);
    await tcpBothWays(pair, 4);
  });
  assertFast(grown);
  const { 'xdp-delivered': delivered = 0, 'remote-received': received = 0 } = grown;
  assert.ok(option === 'deliver' ? delivered > 0.9 * received : delivered === 0, JSON.stringify(grown));
  const wrong = await one.sh('inside nstat -asz TcpInCsumErrors UdpInCsumErrors IcmpInCsumErrors');
  assert.not.match(wrong, /CsumErrors +[1-9]/);
  const bad = `for n in {1..20}; do head -c 60 /dev/zero >/dev/udp/${one.underlay(pair.underlay)}/4789; done`;
  const dropped = await one.growth(() => two.sh(bad));
  assert.equal([dropped['bad-vxlan'], dropped.filtered], [20, 20], JSON.stringify(dropped));
  if (option === 'native') {
    await restart('auto');
    assert.not.match(await one.sh('ip link show eth0'), /xdp/);
    assert.match((await status()).reason ?? '', 'virtio');
    await pingAll(pair);
  }
  return `${received} packets passed it, ${delivered} of them into the container`;
}

/** Other people's filters on the same device. `say` is what a filter in front of ours says to each packet. */
async function foreignFilter(pair: Pair): Promise<void> {
  const { one, two } = pair;
  const mode = await one.sh('api GET /v1/status | jq -r .features.paths.attach');
  const made = mode === 'tcx' ? 'tc qdisc add dev eth0 clsact' : 'true';
  await one.sh(`${made}; tc filter add dev eth0 ingress pref 100 handle 7 matchall action pass`);
  const before = await one.sh('tc filter show dev eth0 ingress');
  try {
    assertFast(await one.growth(() => pingAll(pair)));
    await two.sh(`ping -n -c 3 -i 0.05 -W 2 ${one.underlay(4)}`);
    const seen = await one.json<{ options?: { actions?: { stats: { packets: number } }[] } }[]>(
      'tc -s -j filter show dev eth0 ingress pref 100',
    );
    const packets = seen.flatMap(({ options }) => options?.actions ?? []).map(({ stats }) => stats.packets);
    assert.ok((packets[0] ?? 0) >= 3, 'what is not ours goes on to the filters behind');
    await one.sh(`end_agent TERM; start_agent 1 ${one.underlay(pair.underlay)}`);
    assert.is(await one.sh('tc filter show dev eth0 ingress'), before, 'a restart moves nothing');
    await pingAll(pair);
  } finally {
    await one.sh(mode === 'tcx' ? 'tc qdisc del dev eth0 clsact' : 'tc filter del dev eth0 ingress pref 100');
  }
}

export const FAULT_STEPS: readonly Step[] = [
  { name: 'agent killed under traffic and started again: none lost, everything adopted', run: killedAgent },
  {
    name: 'filters of others stand beside ours, also when the agent is restarted',
    run: foreignFilter,
    extra: true,
  },
  {
    name: 'native XDP on a NIC with two queue pairs per processor',
    run: (pair) => nativeXdp(pair, pair.one),
  },
  { name: 'native XDP on a NIC with one queue pair', run: (pair) => nativeXdp(pair, pair.two) },
  { name: 'underlay_filter on a NIC, asked for by name', run: (pair) => ownXdp(pair, 'native'), extra: true },
  { name: 'delivery by XDP from a NIC', run: (pair) => ownXdp(pair, 'deliver') },
];
