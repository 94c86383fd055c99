// timeout: 300 s

// Containers whose devices are veth and containers whose devices are netkit, on one node, with the host, a kernel vxlan
// peer and each other. Where there is no netkit, those of veth do the same.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { BpfLink } from 'libbpf-ts-bindings';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Datapath } from '../../src/datapath/datapath.js';
import { purge } from '../../src/datapath/purge.js';
import { GATEWAY_MAC, parseIp, parseMac, toAddr } from '../../src/model/addresses.js';
import { chooseLinks, type LinkKind, netkitObstacle } from '../../src/net/netkit.js';
import { deleteVeth, listVeths } from '../../src/net/veth.js';
import { patience } from '../../src/patience.js';
import { eth, ipv4, Protocol, udp } from '../packet/support/frames.js';
import { shownLink } from './support/links.js';
import { addContainer, makeUnderlay, optionsIn, type TestContainer, VNI } from './support/node.js';
import { enterOwnNamespace, json, Scratch, sh, shIn } from './support/own-namespace.js';
import { counted, withServer } from './support/servers.js';
import { addVxlanPeer, type Peer } from './support/vxlan-peer.js';

enterOwnNamespace(import.meta.url);

const RAW = fileURLToPath(new URL('../../../test/host/support/raw.py', import.meta.url));
const GATEWAY = { ip4: '10.10.0.254', ip6: 'fd00:10::fe' };
const obstacle = await netkitObstacle();
const KINDS: readonly LinkKind[] = obstacle === undefined ? ['veth', 'netkit'] : ['veth'];

const test = suite('datapath: kinds of links');
const scratch = new Scratch();
const options = optionsIn(scratch);
let dp: Datapath;
let peer: Peer;
/** Two of each kind. */
const containers = new Map<LinkKind, [TestContainer, TestContainer]>();
const of = (kind: LinkKind): [TestContainer, TestContainer] => {
  const pair = containers.get(kind);
  assert.ok(pair);
  return pair;
};

test.before(async () => {
  makeUnderlay();
  dp = await Datapath.open(options);
  peer = await addVxlanPeer(dp, scratch);
  for (const [i, kind] of KINDS.entries()) {
    const first = await addContainer(dp, scratch, 10 * i + 1, kind);
    containers.set(kind, [first, await addContainer(dp, scratch, 10 * i + 2, kind)]);
  }
  await addGateway();
});
test.after(() => {
  dp?.close();
  scratch.clean();
});

async function addGateway(): Promise<void> {
  const [gateway4, gateway6] = [GATEWAY.ip4, GATEWAY.ip6].map((ip) => toAddr(parseIp(ip)));
  assert.ok(gateway4 && gateway6);
  dp.tables.networks.apply([[VNI, { flags: 0, mtu: 1450, gateway4, gateway6 }]]);
  const mac = parseMac(GATEWAY_MAC);
  dp.tables.neighbors.apply([gateway4, gateway6].map((addr) => [{ vni: VNI, addr }, { mac }] as const));
  dp.tables.subnets.apply([
    [{ prefixLen: 96 + 24, addr: toAddr(parseIp('10.10.0.0')) }, { vni: VNI }],
    [{ prefixLen: 64, addr: toAddr(parseIp('fd00:10::')) }, { vni: VNI }],
  ]);
  const subnets = [
    { subnet: '10.10.0.0/24', gateway: GATEWAY.ip4 },
    { subnet: 'fd00:10::/64', gateway: GATEWAY.ip6 },
  ];
  await dp.gateway.apply([{ vni: VNI, mtu: 1450, internal: false, subnets }]);
}

const pingLine = (target: string): string => `ping -n -q -c 2 -i 0.05 -W ${patience(2)} ${target}`;

/** What both streams of a command that may fail say. */
const said = (netns: string, line: string): string => shIn(netns, `${line} 2>&1 || true`);

/** By how much the packets of a drop or an event grew. */
async function growth(name: string, action: () => unknown): Promise<number> {
  const count = (): number => {
    const { drops, events } = dp.drops();
    return [...drops, ...events].find((row) => row.name === name)?.packets ?? 0;
  };
  const before = count();
  await action();
  return count() - before;
}

/** Megabits that arrived in a second, by one TCP stream. */
async function stream(from: string, to: string, address: string): Promise<number> {
  return withServer(to, 'iperf3 -s -1', { protocol: 'tcp', port: 5201 }, () => {
    const report = shIn(from, `iperf3 -c ${address} -t 1 -f m -i 0`);
    return Number(/([\d.]+) Mbits\/sec\s+receiver/.exec(report)?.[1]);
  });
}

if (obstacle !== undefined) console.log(`SKIP netkit: ${obstacle}`);

test('what new endpoints get is told with its reason, and what cannot be is refused', async () => {
  assert.equal(await chooseLinks('veth'), { kind: 'veth', reason: '--link veth' });
  const { kind, reason } = await chooseLinks('auto');
  assert.is(kind, obstacle === undefined ? 'netkit' : 'veth');
  if (obstacle === undefined) assert.is((await chooseLinks('netkit')).kind, 'netkit');
  else {
    assert.match(reason, obstacle);
    const refusal = await chooseLinks('netkit').catch((error: unknown) => error);
    assert.is((refusal as { code: string }).code, 'NO_NETKIT');
  }
});

for (const kind of KINDS) {
  test(`${kind}: the kernel calls both ends so, and lists the host's`, async () => {
    const [{ netns, hostIfname, ifindex }] = of(kind);
    const kindOf = (text: string): string | undefined =>
      json<{ linkinfo: { info_kind: string } }[]>(text)[0]?.linkinfo.info_kind;
    assert.equal(
      [kindOf(shIn(netns, 'ip -j -d link show eth0')), kindOf(sh(`ip -j -d link show ${hostIfname}`))],
      [kind, kind],
    );
    assert.ok((await listVeths()).some((end) => end.ifname === hostIfname && end.ifindex === ifindex));
    assert.ok(dp.links.list().some((end) => end.ifname === hostIfname && end.ifindex === ifindex));
  });

  test(`${kind}: without a program nothing leaves, with one again everything does`, async () => {
    const [from, to] = of(kind);
    dp.links.detach(from.hostIfname);
    const before = counted(to.netns, 'IcmpInMsgs');
    assert.match(said(from.netns, `ping -n -q -c 1 -W 1 ${to.ip4}`), '100% packet loss');
    assert.is(counted(to.netns, 'IcmpInMsgs'), before);
    await dp.links.attach(from.hostIfname, from.ifindex);
    shIn(from.netns, pingLine(to.ip4));
  });

  for (const other of KINDS) {
    test(`${kind} → ${other} on this node: IPv4, IPv6 and TCP`, async () => {
      const [from, to] = [of(kind)[0], of(other)[1]];
      const delivered = await growth('local-delivered', async () => {
        for (const target of [to.ip4, to.ip6]) shIn(from.netns, pingLine(target));
        for (const target of [to.ip4, to.ip6]) assert.ok((await stream(from.netns, to.netns, target)) > 1);
      });
      assert.ok(delivered > 20, `${delivered} packets`);
      assert.is(counted(to.netns, 'TcpInCsumErrors'), 0);
    });
  }

  test(`${kind}: to and from another host, which asks by ARP and ND, with TCP both ways`, async () => {
    const [one] = of(kind);
    for (const target of [peer.ip4, peer.ip6]) shIn(one.netns, pingLine(target));
    shIn(peer.netns, 'ip neigh flush dev vx0');
    for (const target of [one.ip4, one.ip6]) shIn(peer.netns, pingLine(target));
    assert.ok((await stream(one.netns, peer.netns, peer.ip4)) > 1);
    assert.ok((await stream(peer.netns, one.netns, one.ip4)) > 1);
    assert.ok((await stream(peer.netns, one.netns, one.ip6)) > 1);
    for (const netns of [one.netns, peer.netns]) assert.is(counted(netns, 'TcpInCsumErrors'), 0);
  });

  test(`${kind}: reaches the gateway, and is reached by the host`, () => {
    const [one] = of(kind);
    for (const target of [GATEWAY.ip4, GATEWAY.ip6]) shIn(one.netns, pingLine(target));
    for (const target of [one.ip4, one.ip6]) sh(pingLine(target));
  });

  test(`${kind}: a broadcast reaches everybody once, and its sender hears of no failure`, async () => {
    const [one] = of(kind);
    const others = [...[...containers.values()].flat().filter((some) => some !== one), peer];
    const before = others.map(({ netns }) => counted(netns, 'IcmpInMsgs'));
    const grown = await growth('flooded', () => {
      assert.not.match(said(one.netns, 'ping -b -n -c 1 -W 1 10.10.0.255'), 'No buffer space');
    });
    assert.is(grown, 1);
    assert.equal(
      others.map(({ netns }, i) => counted(netns, 'IcmpInMsgs') - (before[i] ?? 0)),
      others.map(() => 1),
    );
  });

  test(`${kind}: what is too big for the network is answered, here and to another host`, async () => {
    const [one] = of(kind);
    shIn(one.netns, 'ip link set eth0 mtu 20000');
    try {
      for (const target of new Set([of('veth')[1], of(kind)[1], peer])) {
        for (const address of [target.ip4, target.ip6]) {
          const line = `ping -n -c 1 -W 2 -M do -s 10000 ${address}`;
          const answered = await growth('too-big-answered', () => {
            const report = said(one.netns, line);
            assert.match(report, /mtu ?= ?1450/, report);
          });
          assert.is(answered, 1, line);
        }
      }
    } finally {
      shIn(one.netns, 'ip link set eth0 mtu 1450; ip route flush cache; ip -6 route flush cache');
    }
  });

  test(`${kind}: a foreign source address is dropped and counted, as silently as on a wire`, async () => {
    const [one, two] = of(kind);
    shIn(one.netns, 'ip address add 10.10.0.99/24 dev eth0');
    const dropped = await growth('spoofed-ip', () => {
      const report = said(one.netns, `ping -n -c 2 -i 0.05 -W 1 -I 10.10.0.99 ${two.ip4}`);
      assert.match(report, '100% packet loss');
      assert.not.match(report, 'No buffer space');
    });
    shIn(one.netns, 'ip address delete 10.10.0.99/24 dev eth0');
    assert.is(dropped, 2);
  });

  test(`${kind}: a frame is what its header says, whatever its sender calls it`, () => {
    const [one, two] = of(kind);
    for (const [target, mac] of [
      [two, two.mac],
      [peer, '02:00:00:00:ee:01'],
    ] as const) {
      const ends = { from: one.ip4, to: target.ip4, protocol: Protocol.udp };
      const frame = eth(mac, one.mac, 'ipv4', ipv4(ends, udp(7777, 7777, Buffer.alloc(40))));
      for (const type of ['0800', '86dd', '0806', '88b5']) {
        const before = counted(target.netns, 'UdpNoPorts');
        shIn(one.netns, `python3 ${RAW} frame eth0 ${frame.toString('hex')} 5 ${type}`);
        assert.is(counted(target.netns, 'UdpNoPorts') - before, 5, `called ${type}`);
      }
    }
  });

  test(`${kind}: a VLAN tag is refused, in the frame and beside it`, async () => {
    const [one, two] = of(kind);
    const plain = eth(two.mac, one.mac, 'ipv4', Buffer.alloc(60));
    const tagged = Buffer.concat([plain.subarray(0, 12), Buffer.from('81000005', 'hex'), plain.subarray(12)]);
    const send = (frame: Buffer, type: string): string =>
      shIn(one.netns, `python3 ${RAW} frame eth0 ${frame.toString('hex')} 3 ${type}`);
    assert.is(await growth('vlan', () => send(tagged, '8100')), 3);
    if (said(one.netns, 'ip link add link eth0 name v5 type vlan id 5') !== '') {
      console.log(`SKIP ${kind}: a VLAN tag beside the frame: this kernel has no vlan devices`);
      return;
    }
    shIn(one.netns, 'ip address add 10.55.0.1/24 dev v5; ip link set v5 up');
    assert.ok((await growth('vlan', () => said(one.netns, 'ping -n -c 1 -W 1 10.55.0.2'))) > 0);
    shIn(one.netns, 'ip link delete v5');
  });
}

/** Programs by link, as bpftool sees them. */
function running(): Record<string, { place: string; programId: number }> {
  const names = readdirSync(`${options.bpf}/links`);
  return Object.fromEntries(names.map((name) => [name, shownLink(`${options.bpf}/links/${name}`)]));
}

async function reopen(more: Partial<typeof options> = {}): Promise<void> {
  dp.close();
  dp = await Datapath.open({ ...options, ...more });
}

test('a restarted agent adopts all kinds and touches nothing', async () => {
  const before = running();
  await reopen();
  assert.is(dp.adopted, true);
  assert.equal(running(), before);
});

test('new programs come into the same links, and nothing is lost meanwhile', async () => {
  const before = running();
  const pairs = KINDS.map((kind) => [of(kind)[0], of(KINDS[0] ?? kind)[1]] as const);
  const pings = pairs.map(([from, to]) => {
    const child = spawn('nsenter', [`--net=${from.netns}`, 'ping', '-n', '-q', '-i', '0.01', to.ip4]);
    const output: Buffer[] = [];
    child.stdout.on('data', (data: Buffer) => output.push(data));
    return { child, output, closed: once(child, 'close') };
  });
  await sleep(patience(300));
  await reopen({ dropSamplesPerSecond: 11 });
  await sleep(patience(300));
  for (const { child, output, closed } of pings) {
    child.kill('SIGINT');
    await closed;
    const report = Buffer.concat(output).toString();
    const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(report) ?? [];
    assert.ok(Number(sent) > 20, report);
    assert.is(Number(sent) - Number(received), 0, report);
  }
  for (const [name, { place, programId }] of Object.entries(running())) {
    assert.is(place, before[name]?.place, name);
    assert.is.not(programId, before[name]?.programId, name);
  }
});

test('a link of each kind that somebody detached is attached again', async () => {
  for (const kind of KINDS) {
    const link = BpfLink.openPinned(`${options.bpf}/links/${of(kind)[0].hostIfname}`);
    link.detach();
    link.close();
  }
  assert.is(await dp.mend(), KINDS.length);
  assert.is(await dp.mend(), 0);
  for (const kind of KINDS) shIn(of(kind)[0].netns, pingLine(of('veth')[1].ip4));
});

test('an interface that is removed is gone on both sides, and its pin is noticed', async () => {
  for (const kind of KINDS) {
    const [, two] = of(kind);
    assert.is(await deleteVeth(two.hostIfname), true);
    assert.not.match(shIn(two.netns, 'ip -br link'), 'eth0');
  }
  assert.is(dp.links.dropStale().length, KINDS.length);
});

test('leaving takes what is left off the host', async () => {
  dp.close();
  await purge(options);
  assert.equal(await listVeths(), []);
  for (const kind of KINDS) assert.not.match(shIn(of(kind)[0].netns, 'ip -br link'), 'eth0');
});

test.run();
