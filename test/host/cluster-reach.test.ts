// timeout: 180 s

// Three hosts, a container on each and a second one on n1, IPv4 and IPv6 inside.
//
//     c1, d1 ── n1 ──┐
//         c2 ── n2 ──┼── underlay
//         c3 ── n3 ──┘

import * as assert from 'uvu/assert';
import { Capture } from '../../src/lab/capture.js';
import type { Lab } from '../../src/lab/lab.js';
import { waitFor } from '../../src/lab/wait.js';
import { allReach, attach, type Container, canReach, iperf, listening } from './support/containers.js';
import { scenarios } from './support/scenarios.js';

const VXLAN_OVERHEAD = 50;
let members: Container[] = [];

const { scenario, run } = scenarios({ nodes: 3 }, async (lab) => {
  await lab.plait('n1', 'network create --subnet 10.10.0.0/24 --subnet fd10:10::/64 app');
  members = [
    await attach(lab, 'n1', 'c1', { name: 'web1', options: '--alias web' }),
    await attach(lab, 'n2', 'c2', { name: 'web2', options: '--alias web' }),
    await attach(lab, 'n3', 'c3', { name: 'web3', options: '--alias web' }),
    await attach(lab, 'n1', 'd1', { name: 'db1' }),
  ];
  await allReach(lab, members);
});

scenario('every node sees every node as ready', async (lab) => {
  for (const { name } of lab.nodes) {
    const nodes = JSON.parse(await lab.plait(name, 'node ls --format json')) as {
      name: string;
      state: string;
    }[];
    assert.equal(nodes.map((node) => `${node.name} ${node.state}`).sort(), [
      'n1 ready',
      'n2 ready',
      'n3 ready',
    ]);
  }
});

scenario('all pairs ping by IPv4 address, IPv6 address and name, on one host and across', async (lab) => {
  for (const from of members) {
    for (const to of members.filter((member) => member !== from)) {
      await lab.sh(from.container, `ping -n -c 1 -W 2 ${to.address}`);
      await lab.sh(from.container, `ping -n -c 1 -W 2 ${to.address6}`);
      await lab.sh(from.container, `ping -n -c 1 -W 2 ${to.name}`);
    }
  }
});

scenario('names are answered with A, AAAA and PTR, an alias with all that carry it', async (lab) => {
  const [web1] = members;
  assert.ok(web1);
  const dig = async (question: string): Promise<string[]> => {
    return (await lab.sh('c3', `dig +short ${question}`)).trim().split('\n').sort();
  };
  assert.equal(await dig('web1 A'), [web1.address]);
  assert.equal(await dig('web1 AAAA'), [web1.address6]);
  assert.equal(
    await dig('web A'),
    members
      .slice(0, 3)
      .map((member) => member.address)
      .sort(),
  );
  assert.match((await dig(`-x ${web1.address}`))[0] ?? '', /^web1\./);
  assert.match(await lab.sh('c3', 'dig web1'), /SERVER: 127\.0\.0\.11#53/);
});

scenario('TCP and UDP arrive over IPv4 and IPv6', async (lab) => {
  const [, web2] = members;
  assert.ok(web2);
  for (const address of [web2.address, web2.address6]) {
    assert.ok((await iperf(lab, 'c1', 'c2', address)) > 0.2, 'TCP moves');
    const server = lab.start('c2', 'iperf3 -s -1');
    await listening(lab, 'c2', 5201);
    const report = await lab.sh('c1', `iperf3 -u -c ${address} -b 8M -l 1000 -t 1`);
    await server.outcome;
    assert.match(report, / 0\/\d+ \(0%\)\s+receiver/, 'no datagram is lost');
  }
});

scenario('the wire carries VXLAN with our VNI and 50 bytes of overhead', async (lab) => {
  const [web1, web2] = members;
  assert.ok(web1 && web2);
  const [network] = JSON.parse(await lab.plait('n1', 'network inspect app')) as { vni: number }[];
  const capture = await Capture.start(lab, { member: 'n2', filter: 'udp port 4789' });
  await lab.sh('c1', `ping -n -c 3 -i 0.1 -s 100 -W 2 ${web2.address}`);
  const packets = await capture.stop(
    ['frame.len', 'eth.dst', 'ip.src', 'ip.dst', 'ip.len', 'udp.dstport', 'vxlan.flags', 'vxlan.vni'],
    'icmp.type == 8',
  );
  assert.is(packets.length, 3);
  for (const packet of packets) {
    assert.equal(packet['ip.src'], ['192.0.2.1', web1.address]);
    assert.equal(packet['ip.dst'], ['192.0.2.2', web2.address]);
    assert.is(packet['eth.dst'][1], web2.mac);
    assert.equal(packet['udp.dstport'], ['4789']);
    assert.equal(packet['vxlan.flags'], ['0x0800']);
    assert.equal(packet['vxlan.vni'], [String(network?.vni)]);
    const innerFrame = Number(packet['ip.len'][1]) + 14;
    assert.is(Number(packet['frame.len'][0]) - innerFrame, VXLAN_OVERHEAD);
  }
});

scenario('TCP crosses the underlay in GSO packets, and no checksum fails', async (lab) => {
  const [, web2] = members;
  assert.ok(web2);
  const before = await transmitted(lab, 'n1');
  await iperf(lab, 'c1', 'c2', web2.address);
  const after = await transmitted(lab, 'n1');
  const size = (after.bytes - before.bytes) / (after.packets - before.packets);
  assert.ok(size > 4 * 1500, `${size.toFixed(0)} bytes per packet on the underlay`);
  for (const container of ['c1', 'c2']) {
    const counters = await lab.sh(container, 'nstat -asz TcpInCsumErrors UdpInCsumErrors');
    assert.match(counters, /TcpInCsumErrors\s+0 /);
  }
});

const floods = [
  {
    kind: 'IPv4 broadcast',
    send: 'ping -b -n -c 1 -W 1 10.10.0.255',
    filter: 'icmp and dst host 10.10.0.255',
  },
  {
    kind: 'IPv4 multicast',
    send: 'ping -n -c 1 -W 1 -t 1 -I eth0 224.0.0.99',
    filter: 'icmp and dst host 224.0.0.99',
  },
  {
    kind: 'IPv6 multicast',
    send: 'ping -n -c 1 -W 1 ff02::1%eth0',
    filter: 'icmp6[0] == 128 and dst host ff02::1',
  },
];
for (const { kind, send, filter } of floods) {
  scenario(`${kind} reaches each member on every node exactly once, and nobody else`, async (lab) => {
    if (!lab.containers.includes('x2')) {
      await lab.plait('n1', 'network create --subnet 10.20.0.0/24 --subnet fd10:20::/64 other');
      await attach(lab, 'n2', 'x2', { network: 'other' });
    }
    const listeners = ['c2', 'c3', 'd1', 'x2'];
    const captures = await Promise.all(listeners.map((member) => Capture.start(lab, { member, filter })));
    await lab.try('c1', send.split(' '));
    const counts = await Promise.all(
      captures.map(async (capture) => (await capture.stop(['frame.len'])).length),
    );
    assert.equal(Object.fromEntries(listeners.map((name, index) => [name, counts[index]])), {
      c2: 1,
      c3: 1,
      d1: 1,
      x2: 0,
    });
  });
}

scenario('networks are apart: no address of one is reached from another', async (lab) => {
  const [web1] = members;
  assert.ok(web1);
  assert.not.ok(await canReach(lab, 'x2', web1.address));
  assert.not.ok(await canReach(lab, 'x2', web1.address6));
  assert.is((await lab.sh('x2', 'dig +short web1')).trim(), '');
});

scenario('a detached container is gone from names and maps, and its address is free again', async (lab) => {
  const gone = await attach(lab, 'n3', 'e3', { name: 'gone', options: '--ip 10.10.0.99' });
  await waitFor(
    'c1 to know gone',
    async () => (await lab.sh('c1', 'dig +short gone')).trim() === '10.10.0.99',
  );
  await lab.plait('n3', 'detach gone');
  assert.not.match(await lab.sh('e3', 'ip -br link'), /eth0/);
  await waitFor('c1 to forget gone', async () => (await lab.sh('c1', 'dig +short gone')).trim() === '');
  assert.is((await lab.plait('n1', `map dump fdb --mac ${gone.mac} --format json`)).trim(), '[]');
  await lab.removeContainer('e3');
  const next = await attach(lab, 'n2', 'e2', { name: 'gone', options: '--ip 10.10.0.99' });
  await waitFor('c1 to reach it', () => canReach(lab, 'c1', next.address));
});

scenario('etcd and the maps agree on every node', async (lab) => {
  for (const { name } of lab.nodes) await lab.plait(name, 'verify');
});

async function transmitted(lab: Lab, node: string): Promise<{ bytes: number; packets: number }> {
  const [link] = JSON.parse(await lab.sh(node, 'ip -j -s link show eth0')) as {
    stats64: { tx: { bytes: number; packets: number } };
  }[];
  assert.ok(link);
  return link.stats64.tx;
}

run();
