// What test runs of the programs cannot show, with real packets: paged data, aggregates, fragments, tunnels in tunnels,
// marks of routers, checksums. The underlay takes 9000 bytes, so that a packet can be more than a page.
//
//     c1, d1 ── n1 ──┐
//         c2 ── n2 ──┼── underlay, which marks congestion when it is told to
//               k1 ──┘   a kernel vxlan device
//
// Each scenario asks the datapath which way packets went: counters grow by what was sent, and nothing was dropped.

import * as assert from 'uvu/assert';
import { Capture } from '../../../src/lab/capture.js';
import type { Lab } from '../../../src/lab/lab.js';
import { waitFor } from '../../../src/lab/wait.js';
import { eth, ipv4, ipv6, Protocol, udp, vxlan } from '../../packet/support/frames.js';
import {
  allReach,
  attach,
  type Container,
  canReach,
  dropped,
  iperf,
  listening,
  reach,
} from './containers.js';
import { sendFrame } from './raw.js';
import { scenarios } from './scenarios.js';

const PORT = 4789;
const UNDERLAY_MTU = 9000;
const MARK = 7777;
const LEGACY = { name: 'legacy', mac: '02:00:00:00:ee:01', address: '10.10.0.200', address6: 'fd10:10::200' };

/** The whole story, over one kind of underlay. */
export function packetPathScenarios(ipv6Underlay: boolean): void {
  const mtu = UNDERLAY_MTU - (ipv6Underlay ? 70 : 50);
  let vni = 0;
  let c1: Container;
  let c2: Container;
  let d1: Container;

  const options = { nodes: 2, plainHosts: ['k1'], ipv6Underlay, mtu: UNDERLAY_MTU };
  const { scenario, run } = scenarios(options, async (lab) => {
    await lab.plait('n1', 'network create --subnet 10.10.0.0/24 --subnet fd10:10::/64 app');
    const [network] = JSON.parse(await lab.plait('n1', 'network inspect app')) as { vni: number }[];
    vni = network?.vni ?? 0;
    c1 = await attach(lab, 'n1', 'c1');
    d1 = await attach(lab, 'n1', 'd1');
    c2 = await attach(lab, 'n2', 'c2');
    await allReach(lab, [c1, d1, c2]);
  });

  /** The inner packet in a datagram from one node to the other. */
  const outer = (lab: Lab, from: string, to: string, macs: [string, string], data: Buffer): Buffer => {
    const ends = { from: lab.node(from).vtep, to: lab.node(to).vtep };
    const datagram = udp(50000, PORT, data);
    return ipv6Underlay
      ? eth(macs[1], macs[0], 'ipv6', ipv6({ ...ends, next: Protocol.udp }, datagram))
      : eth(macs[1], macs[0], 'ipv4', ipv4({ ...ends, protocol: Protocol.udp }, datagram));
  };
  const big = (from: Container, to: Container, version: 4 | 6): Buffer => {
    const datagram = udp(MARK, MARK, Buffer.alloc(8000, 0x61), version === 6 ? { check: 0xffff } : {});
    return version === 4
      ? eth(
          to.mac,
          from.mac,
          'ipv4',
          ipv4({ from: from.address, to: to.address, protocol: Protocol.udp }, datagram),
        )
      : eth(
          to.mac,
          from.mac,
          'ipv6',
          ipv6({ from: from.address6, to: to.address6, next: Protocol.udp }, datagram),
        );
  };

  for (const version of [4, 6] as const) {
    scenario(
      `IPv${version} packets with 14 linear bytes pass from_container on the fast path, all of them`,
      async (lab) => {
        const sent = await growth(lab, 'n1', () => sendFrame(lab, 'c1', 'eth0', big(c1, c2, version), 500));
        assert.ok((sent['remote-sent'] ?? 0) >= 500, JSON.stringify(sent));
        assertFastOnly(sent);
        const local = await growth(lab, 'n1', () => sendFrame(lab, 'c1', 'eth0', big(c1, d1, version), 500));
        assert.ok((local['local-delivered'] ?? 0) >= 500, JSON.stringify(local));
        assertFastOnly(local);
      },
    );

    scenario(
      `IPv${version} packets with 14 linear bytes pass from_underlay on the fast path, all of them`,
      async (lab) => {
        const macs: [string, string] = [await macOf(lab, 'n2', 'eth0'), await macOf(lab, 'n1', 'eth0')];
        const frame = outer(lab, 'n2', 'n1', macs, vxlan(vni, big(c2, c1, version)));
        const before = await counted(lab, 'c1', 'rx');
        const got = await growth(lab, 'n1', () => sendFrame(lab, 'n2', 'eth0', frame, 500));
        const after = await counted(lab, 'c1', 'rx');
        assert.ok(after.packets - before.packets >= 500, 'they arrive in the container');
        assert.ok((got['remote-received'] ?? 0) >= 500, JSON.stringify(got));
        assertFastOnly(got);
      },
    );
  }

  scenario(
    'TCP crosses the underlay in aggregates, IPv4 and IPv6 inside, and stays on the fast path',
    async (lab) => {
      for (const target of [c2.address, c2.address6]) {
        const before = await counted(lab, 'n1', 'tx');
        const grown = await growth(lab, 'n1', async () => {
          assert.ok((await iperf(lab, 'c1', 'c2', target)) > 0.5);
        });
        const after = await counted(lab, 'n1', 'tx');
        const size = (after.bytes - before.bytes) / (after.packets - before.packets);
        assert.ok(size > 2 * UNDERLAY_MTU, `${size.toFixed(0)} bytes per packet on the underlay`);
        assertFastOnly(grown);
      }
      await assertChecksums(lab, 'c1', 'c2');
    },
  );

  if (!ipv6Underlay) {
    // Routers may cut each of them, and nothing but the IP-ID tells fragments apart.
    scenario('the datagrams that aggregates become have IP-IDs of their own', async (lab) => {
      const filter = `src host ${lab.node('n1').vtep} and udp dst port ${PORT} and greater 1000`;
      await lab.sh('n1', 'ethtool -K eth0 tso off gso off'); // the kernel cuts them, before tcpdump
      const server = lab.start('c2', 'taskset -c 0 iperf3 -s -1');
      try {
        await listening(lab, 'c2', 5201);
        const capture = await Capture.start(lab, { member: 'n1', filter });
        await lab.sh('c1', `taskset -c 0 iperf3 -c ${c2.address} -n 50M`);
        const ids = (await capture.stop(['ip.id'])).map((packet) => packet['ip.id'][0]);
        assert.ok(ids.length > 1000, `${ids.length} datagrams`);
        const repeated = ids.length - new Set(ids).size;
        assert.ok(repeated < ids.length / 100, `${repeated} of ${ids.length} have another's`);
      } finally {
        await server.stop('SIGKILL');
        await lab.sh('n1', 'ethtool -K eth0 tso on gso on');
      }
    });
  }

  scenario('containers of one node exchange aggregates in place', async (lab) => {
    for (const target of [d1.address, d1.address6]) {
      const grown = await growth(lab, 'n1', async () => {
        assert.ok((await iperf(lab, 'c1', 'd1', target)) > 0.5);
      });
      assertFastOnly(grown);
    }
    await assertChecksums(lab, 'c1', 'd1');
  });

  scenario('a tunnel inside containers takes the slow path and works, with TCP', async (lab) => {
    for (const [member, peer, last] of [
      ['c1', c2, 1],
      ['c2', c1, 2],
    ] as const) {
      const lines = [
        `link add vx0 type vxlan id 5 remote ${peer.address} dstport 8472 noudpcsum`,
        `address add 10.99.0.${last}/24 dev vx0`,
        'link set vx0 up',
      ];
      for (const line of lines) await lab.sh(member, `ip ${line}`);
    }
    await reach(lab, 'c1', '10.99.0.2');
    const grown = await growth(lab, 'n1', async () => {
      assert.ok((await iperf(lab, 'c1', 'c2', '10.99.0.2')) > 0.05);
    });
    assert.ok((grown['slow-sent'] ?? 0) > 100, JSON.stringify(grown));
    assertNoDrops(grown);
    await assertChecksums(lab, 'c1', 'c2');
  });

  for (const offload of ['on', 'off']) {
    scenario(
      `a container passes aggregates on to another node, with the underlay's offloads ${offload}`,
      async (lab) => {
        const rules = [
          'add table inet relay',
          'add chain inet relay in { type nat hook prerouting priority dstnat ; }',
          'add chain inet relay out { type nat hook postrouting priority srcnat ; }',
          `add rule inet relay in tcp dport 5201 dnat ip to ${d1.address}`,
          'add rule inet relay out masquerade',
        ];
        await lab.sh('c2', 'sysctl -qw net.ipv4.ip_forward=1');
        for (const rule of rules) await lab.sh('c2', `nft ${rule}`);
        for (const node of ['n1', 'n2'])
          await lab.sh(node, `ethtool -K eth0 tso ${offload} gso ${offload} gro on`);
        try {
          const server = lab.start('d1', 'iperf3 -s -1');
          await listening(lab, 'd1', 5201);
          const report = await lab.sh('c1', `iperf3 -c ${c2.address} -t 1 -f g -i 0`);
          await server.stop('SIGKILL');
          assert.ok(Number(/([\d.]+) Gbits\/sec\s+receiver/.exec(report)?.[1]) > 0.1, report);
          await assertChecksums(lab, 'c1', 'd1');
        } finally {
          await lab.sh('c2', 'nft delete table inet relay');
          for (const node of ['n1', 'n2']) await lab.sh(node, 'ethtool -K eth0 tso on gso on');
        }
      },
    );
  }

  scenario(
    'packets that may be cut arrive: on IPv4 the outer ones are cut, on IPv6 the sender cuts',
    async (lab) => {
      for (const member of ['c1', 'c2']) await lab.sh(member, 'ip link set eth0 mtu 20000');
      try {
        const ping = (count: number): string =>
          `ping -n -c ${count} -i 0.1 -W 2 -M dont -s 12000 ${c2.address}`;
        const capture = await Capture.start(lab, { member: 'n2', filter: 'ip[6:2]&0x3fff!=0 or ip6' });
        const grown = await growth(lab, 'n2', async () => {
          const told = async (): Promise<boolean> => (await lab.try('c1', ping(1).split(' '))).status === 0;
          if (ipv6Underlay) await waitFor('the sender to cut', told);
          await lab.sh('c1', ping(3));
        });
        assert.ok(
          (await capture.stop(['frame.len'], 'ip.flags.mf == 1')).length >= 3,
          'fragments are carried',
        );
        if (!ipv6Underlay) assert.ok((grown['slow-received'] ?? 0) >= 3, JSON.stringify(grown));
        assert.is(grown['bad-vxlan'], undefined);
      } finally {
        for (const member of ['c1', 'c2']) await lab.sh(member, `ip link set eth0 mtu ${mtu}`);
      }
    },
  );

  scenario(
    'a container with far too big an MTU is told, whatever it sends, and TCP recovers',
    async (lab) => {
      const members = ['c1', 'c2', 'd1'];
      for (const member of members) await lab.sh(member, 'ip link set eth0 mtu 30000');
      try {
        for (const target of [c2, d1]) {
          for (const [address, header] of [
            [target.address, 28],
            [target.address6, 48],
          ] as const) {
            const line = `ping -n -c 1 -W 2 -M do -s ${20000 - header} ${address}`;
            const { stdout } = await lab.try('c1', line.split(' '));
            assert.match(stdout, new RegExp(`mtu ?= ?${mtu}`), line);
            assert.ok((await iperf(lab, 'c1', target.container, address)) > 0.5, `TCP to ${address}`);
            await lab.sh('c1', 'ip route flush cache');
            await lab.sh('c1', 'ip -6 route flush cache');
          }
        }
        const grown = await growth(lab, 'n1', async () => {
          await lab.try('c1', `ping -n -c 1 -W 1 -M do -s 20000 ${c2.address}`.split(' '));
        });
        assert.is(grown['too-big-answered'], 1);
      } finally {
        for (const member of members) await lab.sh(member, `ip link set eth0 mtu ${mtu}`);
      }
    },
  );

  scenario(
    'a mark of congestion on the underlay reaches the container, or the packet is dropped',
    async (lab) => {
      const family = ipv6Underlay ? 'ip6' : 'ip';
      await lab.sh('underlay', 'nft add table bridge marking');
      try {
        await lab.sh('underlay', 'nft add chain bridge marking f { type filter hook forward priority 0 ; }');
        await lab.sh('underlay', `nft add rule bridge marking f udp dport ${PORT} ${family} ecn set ce`);
        const ECT0 = 2;
        for (const [address, field] of [
          [c2.address, 'ip.dsfield.ecn'],
          [c2.address6, 'ipv6.tclass.ecn'],
        ] as const) {
          const capture = await Capture.start(lab, { member: 'c2', filter: 'icmp or icmp6' });
          await lab.try('c1', `ping -n -c 3 -i 0.1 -W 1 -Q ${ECT0} ${address}`.split(' '));
          const marked = (await capture.stop([field], 'icmp.type == 8 or icmpv6.type == 128')).flatMap(
            (packet) => packet[field],
          );
          assert.equal(marked, ['3', '3', '3'], address);
          const grown = await growth(lab, 'n2', async () => {
            assert.not.ok(await canReach(lab, 'c1', address));
          });
          assert.ok((grown.ecn ?? 0) >= 1, 'not ECN-capable: dropped');
        }
      } finally {
        await lab.sh('underlay', 'nft delete table bridge marking');
      }
      await reach(lab, 'c1', c2.address);
    },
  );

  for (const offload of ['on', 'off']) {
    scenario(
      `a kernel peer's outer checksum is no hindrance, computed by it or pending (tx ${offload})`,
      async (lab) => {
        const k1 = lab.plainHosts[0]?.vtep;
        if (offload === 'on') {
          const lines = [
            `link add vx0 type vxlan id ${vni} local ${k1} dstport ${PORT} nolearning udpcsum udp6zerocsumrx`,
            `link set vx0 mtu ${mtu} address ${LEGACY.mac} up`,
            `address add ${LEGACY.address}/24 dev vx0`,
            `address add ${LEGACY.address6}/64 dev vx0 nodad`,
            ...[c1.address, c1.address6].map(
              (ip) => `neighbour add ${ip} lladdr ${c1.mac} dev vx0 nud permanent`,
            ),
          ];
          for (const line of lines) await lab.sh('k1', `ip ${line}`);
          await lab.sh('k1', `bridge fdb add ${c1.mac} dev vx0 dst ${lab.node('n1').vtep}`);
          const where = `--network app --name ${LEGACY.name} --vtep ${k1} --mac ${LEGACY.mac}`;
          await lab.plait('n1', `endpoint add ${where} --ip ${LEGACY.address} --ip ${LEGACY.address6}`);
        }
        for (const device of ['vx0', 'eth0']) await lab.sh('k1', `ethtool -K ${device} tx ${offload}`);
        await reach(lab, 'c1', LEGACY.address);
        const capture = await Capture.start(lab, { member: 'k1', filter: `udp dst port ${PORT}` });
        await lab.sh('k1', `ping -n -c 1 -W 2 ${c1.address}`);
        const sums = (
          await capture.stop(['udp.checksum'], `${ipv6Underlay ? 'ipv6' : 'ip'}.src == ${k1}`)
        ).map((packet) => packet['udp.checksum'][0]);
        assert.ok(sums.length > 0 && sums.every((sum) => Number(sum) !== 0), `outer checksums ${sums}`);
        for (const target of [c1.address, c1.address6]) {
          const grown = await growth(lab, 'n1', async () => {
            assert.ok((await iperf(lab, 'k1', 'c1', target)) > 0.2, `TCP to ${target}`);
          });
          assertNoDrops(grown);
        }
        await assertChecksums(lab, 'c1', 'k1');
      },
    );
  }

  run();
}

/** By how much the counters of a node grew while `action` ran. */
async function growth(lab: Lab, node: string, action: () => Promise<void>): Promise<Record<string, number>> {
  const before = await dropped(lab, node);
  await action();
  const after = Object.entries(await dropped(lab, node));
  return Object.fromEntries(
    after
      .map(([name, count]) => [name, count - (before[name] ?? 0)] as const)
      .filter(([, grown]) => grown > 0),
  );
}

const EVENTS = new Set([
  ...[
    'local-delivered',
    'remote-sent',
    'remote-received',
    'gateway',
    'from-host',
    'arp-answered',
    'nd-answered',
  ],
  ...['flooded', 'slow-sent', 'slow-received', 'host-multicast'],
]);

function assertNoDrops(grown: Record<string, number>): void {
  assert.equal(
    Object.keys(grown).filter((name) => !EVENTS.has(name)),
    [],
    JSON.stringify(grown),
  );
}

/** A few packets beside those that are meant, such as multicast reports, may be flooded. */
function assertFastOnly(grown: Record<string, number>): void {
  assertNoDrops(grown);
  const { 'slow-sent': sent = 0, 'slow-received': received = 0 } = grown;
  assert.ok(sent + received < 10, JSON.stringify(grown));
}

async function assertChecksums(lab: Lab, ...members: string[]): Promise<void> {
  for (const member of members) {
    const counters = await lab.sh(member, 'nstat -asz TcpInCsumErrors UdpInCsumErrors');
    assert.match(counters, /TcpInCsumErrors\s+0 /);
    assert.match(counters, /UdpInCsumErrors\s+0 /);
  }
}

async function macOf(lab: Lab, member: string, device: string): Promise<string> {
  const [link] = JSON.parse(await lab.sh(member, `ip -j link show ${device}`)) as { address: string }[];
  return link?.address ?? '';
}

interface Counted {
  bytes: number;
  packets: number;
}

async function counted(lab: Lab, member: string, direction: 'rx' | 'tx'): Promise<Counted> {
  const [link] = JSON.parse(await lab.sh(member, 'ip -j -s link show eth0')) as {
    stats64: Record<'rx' | 'tx', Counted>;
  }[];
  assert.ok(link);
  return link.stats64[direction];
}
