// timeout: 300 s

// Two hosts whose XDP delivers into the containers. Their underlay is a veth, where that is right only because the
// containers fill in their checksums themselves: a developer's switch says so to the agents.

import * as assert from 'uvu/assert';
import type { Job } from '../../src/lab/exec.js';
import type { Lab } from '../../src/lab/lab.js';
import type { MapDumpAnswer } from '../../src/model/api.js';
import { allReach, attach, type Container, dropped, iperf, listening, reach } from './support/containers.js';
import { strangeVxlan } from './support/frames.js';
import { sendFrame } from './support/raw.js';
import { scenarios } from './support/scenarios.js';

process.env.PLAIT_XDP = 'deliver';
process.env.PLAIT_XDP_DELIVER_ON_VETH = '1';

const DEVICE = 'eth0';
let one: Container;
let two: Container;

const { scenario, run } = scenarios({ nodes: 2, plainHosts: ['k1'] }, async (lab) => {
  await lab.plait('n1', 'network create --subnet 10.10.0.0/24 --ipv6 app');
  one = await attach(lab, 'n1', 'c1');
  two = await attach(lab, 'n2', 'c2');
  await fillIn(lab, 'c1', 'c2');
  await allReach(lab, [one, two]);
});

/** Whoever sends sums its packets itself. */
async function fillIn(lab: Lab, ...containers: string[]): Promise<void> {
  for (const name of containers) await lab.sh(name, 'ethtool -K eth0 tx off');
}

async function restart(
  lab: Lab,
  node: string,
  option: string,
  signal: NodeJS.Signals = 'SIGTERM',
): Promise<void> {
  await lab.killAgent(node, signal);
  process.env.PLAIT_XDP = option;
  await lab.startAgent(node);
}

/** How the counters of a node grow meanwhile; those that do not are left out. */
async function grown(
  lab: Lab,
  node: string,
  action: () => Promise<unknown>,
): Promise<Record<string, number>> {
  const before = await dropped(lab, node);
  await action();
  const after = Object.entries(await dropped(lab, node));
  return Object.fromEntries(
    after.map(([name, now]) => [name, now - (before[name] ?? 0)] as const).filter(([, growth]) => growth > 0),
  );
}

const echoes = (lab: Lab, from: string, to: string, options = '-c 50 -i 0.01'): Promise<string> =>
  lab.sh(from, `ping -n -q -W 2 ${options} ${to}`);

const LOSSLESS = /(\d+) packets transmitted, \1 received, 0% packet loss/;

async function onlyByXdp(lab: Lab, from: string, to: string, node: string): Promise<void> {
  const growth = await grown(lab, node, async () => assert.match(await echoes(lab, from, to), LOSSLESS));
  assert.ok((growth['xdp-delivered'] ?? 0) >= 50, JSON.stringify(growth));
  // Reports of multicast groups, flooded, come now and then: they go the other way.
  const late = (growth['remote-received'] ?? 0) - (growth['xdp-delivered'] ?? 0);
  assert.ok(late <= (growth.flooded ?? 0), JSON.stringify(growth));
}

scenario('status shows it, containers are ready for it, and verify finds all in place', async (lab) => {
  assert.match(await lab.plait('n1', 'status'), /^xdp: +native on eth0 \(--xdp deliver\)$/m);
  for (const name of ['c1', 'c2']) {
    assert.match(await lab.sh(name, 'ethtool -k eth0'), /^generic-receive-offload: on$/m);
  }
  await lab.plait('n1', 'verify');
  const { rows } = await lab.client('n1').get<MapDumpAnswer>('/v1/maps/endpoints');
  assert.equal(
    rows.map(({ takesXdp }) => takesXdp),
    [true],
  );
});

scenario(
  'ICMP, TCP and UDP both ways and in both IP versions go by XDP, with right checksums',
  async (lab) => {
    for (const address of [two.address, two.address6]) await onlyByXdp(lab, 'c1', address, 'n2');
    await onlyByXdp(lab, 'c2', one.address, 'n1');
    for (const [from, to, address, node] of [
      ['c1', 'c2', two.address, 'n2'],
      ['c2', 'c1', one.address6, 'n1'],
    ] as const) {
      const growth = await grown(lab, node, async () => {
        const speed = await iperf(lab, from, to, address);
        console.log(`NOTE TCP delivered by XDP over a veth to ${address}: ${speed} Gbit/s`);
        assert.ok(speed > 0.05, `${speed} Gbit/s`);
      });
      assert.ok((growth['xdp-delivered'] ?? 0) > 1000, JSON.stringify(growth));
    }
    const server = lab.start('c2', 'iperf3 -s -1');
    try {
      await listening(lab, 'c2', 5201);
      const report = JSON.parse(await lab.sh('c1', `iperf3 -u -b 20M -l 64 -t 1 -J -c ${two.address}`));
      assert.ok(report.end.sum.packets > 10_000, `${report.end.sum.packets} datagrams`);
    } finally {
      await server.stop('SIGKILL');
    }
    for (const name of ['c1', 'c2']) {
      assert.match(
        await lab.sh(name, 'nstat -asz TcpInCsumErrors UdpInCsumErrors'),
        /TcpInCsumErrors +0 [\s\S]*UdpInCsumErrors +0 /,
      );
    }
  },
);

scenario('what it does not deliver goes the other way: ARP, broadcast, packets that are cut', async (lab) => {
  const growth = await grown(lab, 'n2', async () => {
    await lab.try('c1', 'ping -n -q -b -c 3 -i 0.2 -W 1 10.10.0.255'.split(' '));
    assert.match(await echoes(lab, 'c1', two.address, '-c 5 -i 0.05 -s 4000'), LOSSLESS);
  });
  assert.ok((growth.flooded ?? 0) >= 3, JSON.stringify(growth));
  assert.ok((growth['remote-received'] ?? 0) > (growth['xdp-delivered'] ?? 0), JSON.stringify(growth));
});

scenario('what a stranger sends ends there, and is sampled as its work', async (lab) => {
  const mac = JSON.parse(await lab.sh('n1', `ip -j link show ${DEVICE}`))[0].address as string;
  const growth = await grown(lab, 'n1', () => sendFrame(lab, 'k1', DEVICE, strangeVxlan(mac), 50));
  assert.equal([growth['unknown-vni'], growth.filtered], [50, 50]);
});

scenario('a container that comes later is ready at once, and its end is nobody else’s', async (lab) => {
  const three = await attach(lab, 'n2', 'c3');
  await fillIn(lab, 'c3');
  await reach(lab, 'c1', three.address);
  await onlyByXdp(lab, 'c1', three.address, 'n2');
  await lab.plait('n2', `detach ${three.id}`);
  await onlyByXdp(lab, 'c1', two.address, 'n2');
});

scenario(
  'killed and started again under traffic, and with every other option, it loses nothing',
  async (lab) => {
    const traffic: Job = lab.start('c1', `ping -n -q -i 0.005 -W 2 ${two.address}`);
    await restart(lab, 'n2', 'deliver', 'SIGKILL');
    for (const option of ['off', 'deliver', 'native', 'deliver']) {
      await restart(lab, 'n2', option);
      await onlyByXdpIf(option === 'deliver', lab);
    }
    await traffic.stop('SIGINT');
    console.log(`NOTE ${/.*packet loss.*/.exec(traffic.stdout)?.[0]}`);
    assert.match(traffic.stdout, LOSSLESS);
  },
);

async function onlyByXdpIf(expected: boolean, lab: Lab): Promise<void> {
  const growth = await grown(lab, 'n2', () => echoes(lab, 'c1', two.address, '-c 20 -i 0.01'));
  assert.is((growth['xdp-delivered'] ?? 0) > 0, expected, JSON.stringify(growth));
}

scenario(
  'without the developer’s switch it is refused on a veth, which is told, and traffic goes on',
  async (lab) => {
    delete process.env.PLAIT_XDP_DELIVER_ON_VETH;
    await restart(lab, 'n1', 'deliver');
    assert.match(
      await lab.plait('n1', 'status').catch((error: Error) => error.message),
      /eth0 is a veth: frames come from it without their checksums/,
    );
    assert.is((await lab.try('n1', ['plait', 'status'])).status, 3);
    assert.match(await echoes(lab, 'c2', one.address), LOSSLESS);
  },
);

run();
