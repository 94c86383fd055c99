// A host with nothing but the kernel's own vxlan device is a full peer. It is the oracle of the wire format: what it
// accepts is VXLAN, and what it sends we must accept. Its entries are static, as an administrator would type them.

import * as assert from 'uvu/assert';
import { Capture } from '../../../src/lab/capture.js';
import type { Lab } from '../../../src/lab/lab.js';
import type { Host } from '../../../src/lab/topology.js';
import { allReach, attach, type Container, canReach, iperf, reach } from './containers.js';
import { scenarios } from './scenarios.js';

const LEGACY = { name: 'legacy', mac: '02:00:00:00:ee:01', address: '10.10.0.200', address6: 'fd10:10::200' };

/** The whole story, over one kind of underlay. */
export function kernelPeerScenarios(ipv6Underlay: boolean): void {
  let members: Container[] = [];

  const options = { nodes: 2, plainHosts: ['k1'], ipv6Underlay };
  const { scenario, run } = scenarios(options, async (lab) => {
    await lab.plait('n1', 'network create --subnet 10.10.0.0/24 --subnet fd10:10::/64 app');
    members = [await attach(lab, 'n1', 'c1'), await attach(lab, 'n2', 'c2')];
    await allReach(lab, members);
    await buildKernelPeer(lab, members);
    const where = `--network app --name ${LEGACY.name} --vtep ${vtepOf(lab.plainHosts[0])} --mac ${LEGACY.mac}`;
    await lab.plait('n1', `endpoint add ${where} --ip ${LEGACY.address} --ip ${LEGACY.address6}`);
    for (const { container } of members) await reach(lab, container, LEGACY.address);
  });

  scenario(
    'unicast passes in both directions, IPv4 and IPv6, by name towards the declared endpoint',
    async (lab) => {
      for (const { container, address, address6 } of members) {
        for (const target of [LEGACY.address, LEGACY.address6, LEGACY.name]) {
          await lab.sh(container, `ping -n -c 2 -i 0.1 -W 2 ${target}`);
        }
        for (const target of [address, address6]) await lab.sh('k1', `ping -n -c 2 -i 0.1 -W 2 ${target}`);
      }
    },
  );

  scenario('TCP passes in both directions with offloads, and no checksum fails', async (lab) => {
    const [c1] = members;
    assert.ok(c1);
    const before = await transmitted(lab, 'n1');
    assert.ok((await iperf(lab, 'c1', 'k1', LEGACY.address)) > 0.2);
    const after = await transmitted(lab, 'n1');
    assert.ok(
      (after.bytes - before.bytes) / (after.packets - before.packets) > 4 * 1500,
      'GSO packets leave n1',
    );
    assert.ok((await iperf(lab, 'k1', 'c1', c1.address)) > 0.2);
    assert.ok((await iperf(lab, 'k1', 'c1', c1.address6)) > 0.2);
    for (const member of ['c1', 'k1']) {
      assert.match(
        await lab.sh(member, 'nstat -asz TcpInCsumErrors UdpInCsumErrors'),
        /TcpInCsumErrors\s+0 /,
      );
    }
  });

  scenario('broadcast passes in both directions, once per member', async (lab) => {
    const filter = 'icmp and dst host 10.10.0.255';
    for (const [from, to] of [
      ['c1', ['c2', 'k1']],
      ['k1', ['c1', 'c2']],
    ] as const) {
      const device = (member: string): string => (member === 'k1' ? 'vx0' : 'eth0');
      const captures = await Promise.all(
        to.map((member) => Capture.start(lab, { member, device: device(member), filter })),
      );
      await lab.try(from, 'ping -b -n -c 1 -W 1 10.10.0.255'.split(' '));
      for (const [index, capture] of captures.entries()) {
        assert.is((await capture.stop(['frame.len'])).length, 1, `${from} → ${to[index]}`);
      }
    }
  });

  scenario('the kernel peer is refused on a network where it has no endpoint', async (lab) => {
    await lab.plait('n1', 'network create --subnet 10.20.0.0/24 --vni 7777 closed');
    const inside = await attach(lab, 'n1', 'x1', { network: 'closed' });
    const entries = [
      `link add vx1 type vxlan id 7777 local ${vtepOf(lab.plainHosts[0])} dstport 4789 nolearning${zeroChecksums(lab)}`,
      'link set vx1 address 02:00:00:00:ee:02 up',
      'address add 10.20.0.200/24 dev vx1',
      `neighbour add ${inside.address} lladdr ${inside.mac} dev vx1 nud permanent`,
    ];
    for (const entry of entries) await lab.sh('k1', `ip ${entry}`);
    await lab.sh('k1', `bridge fdb add ${inside.mac} dev vx1 dst ${vtepOf(lab.nodes[0])}`);
    const capture = await Capture.start(lab, { member: 'x1', filter: 'icmp' });
    assert.not.ok(await canReach(lab, 'k1', inside.address));
    assert.is((await capture.stop(['frame.len'])).length, 0);
    assert.match(await lab.plait('n1', 'drops'), /sender/i);
  });

  run();
}

async function buildKernelPeer(lab: Lab, members: readonly Container[]): Promise<void> {
  const [network] = JSON.parse(await lab.plait('n1', 'network inspect app')) as {
    vni: number;
    mtu: number;
  }[];
  assert.ok(network);
  const peer = vtepOf(lab.plainHosts[0]);
  const lines = [
    `link add vx0 type vxlan id ${network.vni} local ${peer} dstport 4789 nolearning${zeroChecksums(lab)}`,
    `link set vx0 mtu ${network.mtu} address ${LEGACY.mac} up`,
    `address add ${LEGACY.address}/24 dev vx0`,
    `address add ${LEGACY.address6}/64 dev vx0 nodad`,
    ...members.flatMap(({ mac, addresses }) =>
      addresses.map((address) => `neighbour add ${address} lladdr ${mac} dev vx0 nud permanent`),
    ),
  ];
  for (const line of lines) await lab.sh('k1', `ip ${line}`);
  for (const { mac, node } of members) {
    await lab.sh('k1', `bridge fdb add ${mac} dev vx0 dst ${lab.node(node).vtep}`);
    await lab.sh('k1', `bridge fdb append 00:00:00:00:00:00 dev vx0 dst ${lab.node(node).vtep}`);
  }
}

async function transmitted(lab: Lab, node: string): Promise<{ bytes: number; packets: number }> {
  const [link] = JSON.parse(await lab.sh(node, 'ip -j -s link show eth0')) as {
    stats64: { tx: { bytes: number; packets: number } };
  }[];
  assert.ok(link);
  return link.stats64.tx;
}

/** RFC 6935: over IPv6 a zero checksum must be allowed by both ends. */
function zeroChecksums(lab: Lab): string {
  return lab.spec.ipv6Underlay ? ' udp6zerocsumrx udp6zerocsumtx' : '';
}

function vtepOf(host: Host | undefined): string {
  assert.ok(host);
  return host.vtep;
}
