// The way out of a network: the host's own routing and masquerade, on the host where the container is. An internal
// network has none.

import * as assert from 'uvu/assert';
import { Capture } from '../../src/lab/capture.js';
import { OUTSIDE } from '../../src/lab/topology.js';
import { allReach, attach, canReach, iperf, reach } from './support/containers.js';
import { scenarios } from './support/scenarios.js';

const { scenario, run } = scenarios({ nodes: 2 }, async (lab) => {
  await lab.plait('n1', 'network create --subnet 10.10.0.0/24 --subnet fd10:10::/64 app');
  await lab.plait('n1', 'network create --subnet 10.20.0.0/24 --subnet fd10:20::/64 --internal closed');
  const app = [await attach(lab, 'n1', 'c1'), await attach(lab, 'n2', 'c2')];
  const closed = [
    await attach(lab, 'n1', 'i1', { network: 'closed' }),
    await attach(lab, 'n2', 'i2', { network: 'closed' }),
  ];
  await allReach(lab, app);
  await allReach(lab, closed);
  for (const container of ['c1', 'c2']) await reach(lab, container, OUTSIDE.address);
});

scenario('a container reaches the outside with the address of its own host', async (lab) => {
  for (const { container, host } of [
    { container: 'c1', host: '192.0.2.1' },
    { container: 'c2', host: '192.0.2.2' },
  ]) {
    const capture = await Capture.start(lab, { member: 'outside', filter: 'icmp' });
    await lab.sh(container, `ping -n -c 2 -i 0.1 -W 2 ${OUTSIDE.address}`);
    const requests = await capture.stop(['ip.src'], 'icmp.type == 8');
    assert.equal(
      requests.map((packet) => packet['ip.src']),
      [[host], [host]],
    );
  }
});

scenario('the outside is reached over IPv6 too', async (lab) => {
  const capture = await Capture.start(lab, { member: 'outside', filter: 'icmp6' });
  await lab.sh('c1', `ping -n -c 2 -i 0.1 -W 2 ${OUTSIDE.address6}`);
  const requests = await capture.stop(['ipv6.src'], 'icmpv6.type == 128');
  assert.equal(
    requests.map((packet) => packet['ipv6.src']),
    [['2001:db8::1'], ['2001:db8::1']],
  );
});

scenario('TCP moves to the outside', async (lab) => {
  assert.ok((await iperf(lab, 'c1', 'outside', OUTSIDE.address)) > 0.1);
});

scenario('a container reaches its gateway and its own host', async (lab) => {
  await lab.sh('c1', 'ping -n -c 1 -W 2 10.10.0.1');
  await lab.sh('c1', 'ping -n -c 1 -W 2 192.0.2.1');
});

scenario('an internal network has no way out, and its members still reach each other', async (lab) => {
  assert.not.ok(await canReach(lab, 'i1', OUTSIDE.address));
  assert.not.ok(await canReach(lab, 'i1', OUTSIDE.address6));
  assert.is((await lab.sh('i1', 'ip route show default')).trim(), '');
  assert.ok(await canReach(lab, 'i1', 'i2'));
});

scenario('an internal network has no way out through a gateway that a container invents', async (lab) => {
  await lab.sh('i1', 'ip route add default dev eth0');
  const capture = await Capture.start(lab, { member: 'outside', filter: 'icmp' });
  assert.not.ok(await canReach(lab, 'i1', OUTSIDE.address));
  assert.equal(await capture.stop(['ip.src'], 'icmp.type == 8'), []);
});

run();
