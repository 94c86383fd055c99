// The MTU inside follows the underlay, and what is too big is answered, not swallowed. The underlay is IPv6 here, so
// that the outer header is the longer one: 70 bytes.

import * as assert from 'uvu/assert';
import { Capture } from '../../src/lab/capture.js';
import { allReach, attach, type Container, iperf } from './support/containers.js';
import { scenarios } from './support/scenarios.js';

const UNDERLAY_MTU = 1500;
const OVERHEAD = 70;
const MTU = UNDERLAY_MTU - OVERHEAD;
const ICMP = 28;
const ICMPV6 = 48;
let members: Container[] = [];

const { scenario, run } = scenarios({ nodes: 2, ipv6Underlay: true, mtu: UNDERLAY_MTU }, async (lab) => {
  await lab.plait('n1', 'network create --subnet 10.10.0.0/24 --subnet fd10:10::/64 app');
  members = [await attach(lab, 'n1', 'c1'), await attach(lab, 'n2', 'c2')];
  await allReach(lab, members);
});

scenario('the wire carries VXLAN over IPv6 with 70 bytes of overhead', async (lab) => {
  const [c1, c2] = members;
  assert.ok(c1 && c2);
  const capture = await Capture.start(lab, { member: 'n2', filter: 'udp port 4789' });
  await lab.sh('c1', `ping -n -c 2 -i 0.1 -W 2 ${c2.address}`);
  const packets = await capture.stop(
    ['frame.len', 'ipv6.src', 'ipv6.dst', 'ip.src', 'ip.len'],
    'icmp.type == 8',
  );
  assert.is(packets.length, 2);
  for (const packet of packets) {
    assert.equal(packet['ipv6.src'], ['2001:db8::1']);
    assert.equal(packet['ipv6.dst'], ['2001:db8::2']);
    assert.equal(packet['ip.src'], [c1.address]);
    assert.is(Number(packet['frame.len'][0]) - Number(packet['ip.len'][0]) - 14, OVERHEAD);
  }
});

scenario('TCP passes over the IPv6 underlay, IPv4 and IPv6 inside', async (lab) => {
  const [, c2] = members;
  assert.ok(c2);
  assert.ok((await iperf(lab, 'c1', 'c2', c2.address)) > 0.2);
  assert.ok((await iperf(lab, 'c1', 'c2', c2.address6)) > 0.2);
});

scenario('the interface inside has the MTU of the underlay less the overhead', async (lab) => {
  assert.match(await lab.sh('c1', 'ip link show eth0'), new RegExp(`mtu ${MTU} `));
});

scenario('packets of just that size pass unfragmented', async (lab) => {
  const [, c2] = members;
  assert.ok(c2);
  await lab.sh('c1', `ping -n -c 1 -W 2 -M do -s ${MTU - ICMP} ${c2.address}`);
  await lab.sh('c1', `ping -n -c 1 -W 2 -M do -s ${MTU - ICMPV6} ${c2.address6}`);
});

scenario('a container with a bigger MTU of its own is told what fits', async (lab) => {
  const [, c2] = members;
  assert.ok(c2);
  await lab.sh('c1', `ip link set eth0 mtu ${UNDERLAY_MTU}`);
  const too4 = await lab.try('c1', `ping -n -c 1 -W 2 -M do -s ${MTU - ICMP + 1} ${c2.address}`.split(' '));
  assert.match(too4.stdout, new RegExp(`Frag needed and DF set \\(mtu = ${MTU}\\)`));
  const too6 = await lab.try(
    'c1',
    `ping -n -c 1 -W 2 -M do -s ${MTU - ICMPV6 + 1} ${c2.address6}`.split(' '),
  );
  assert.match(too6.stdout, new RegExp(`Packet too big: mtu=${MTU}`));
  assert.match(await lab.sh('c1', `ip route get ${c2.address}`), new RegExp(`mtu ${MTU}`));
});

run();
