// timeout: 240 s

// Faults, made one by one, and what `plait doctor` and `plait status` say of each. And an underlay that is cut and heals.

import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import type { Finding } from '../../src/doctor/finding.js';
import type { Lab } from '../../src/lab/lab.js';
import { waitFor } from '../../src/lab/wait.js';
import type { StatusAnswer } from '../../src/model/api.js';
import { pathsFor } from '../../src/model/paths.js';
import { allReach, attach, type Container, canReach } from './support/containers.js';
import { losesNothing } from './support/lossless.js';
import { filesOf } from './support/outsider.js';
import { scenarios } from './support/scenarios.js';

const PARTITION_MS = 1000 * Number(process.env.PLAIT_TEST_OUTAGE_S ?? '8');
let far: Container[] = [];
let near: Container[] = [];

const { scenario, run } = scenarios({ nodes: 4, managers: 3 }, async (lab) => {
  await lab.plait('n1', 'network create --subnet 10.10.0.0/24 app');
  near = [await attach(lab, 'n1', 'c1'), await attach(lab, 'n1', 'c2')];
  far = [await attach(lab, 'n4', 'c3'), await attach(lab, 'n4', 'c4')];
  await allReach(lab, [...near, ...far]);
});

async function doctor(lab: Lab, at: string): Promise<{ status: number; faults: string; all: Finding[] }> {
  const { status, stdout } = await lab.try(at, ['plait', 'doctor', '--json']);
  const all = JSON.parse(stdout) as Finding[];
  const faults = all.filter(({ state }) => state !== 'ok');
  return {
    status,
    all,
    faults: faults.map(({ what, text, mend }) => `${what}: ${text} → ${mend}`).join('\n'),
  };
}

async function says(lab: Lab, at: string, expected: RegExp): Promise<void> {
  let last = '';
  await waitFor(
    `the doctor at ${at} to say ${expected}`,
    async () => {
      last = (await doctor(lab, at)).faults;
      return expected.test(last);
    },
    30_000,
  ).catch((error) => {
    throw new Error(`${error}\n${last}`);
  });
}

/** Drops what the filter says on a host's underlay device, both ways, for the time of the work. */
async function without(lab: Lab, host: string, filter: string, work: () => Promise<void>): Promise<void> {
  const add = `add table inet cut
    add chain inet cut in { type filter hook input priority -200; }
    add chain inet cut out { type filter hook output priority -200; }
    add rule inet cut in iifname eth0 ${filter} drop
    add rule inet cut out oifname eth0 ${filter} drop`;
  await lab.exec(host, ['nft', add]);
  try {
    await work();
  } finally {
    await lab.sh(host, 'nft delete table inet cut');
  }
}

/** The host's port of the switch passes nothing, for the time of the work. */
async function cutOff(lab: Lab, host: string, work: () => Promise<void>): Promise<void> {
  await lab.sh('underlay', `bridge link set dev ${host} state 0`);
  try {
    await work();
  } finally {
    await lab.sh('underlay', `bridge link set dev ${host} state 3`);
  }
}

scenario('where nothing is wrong it says so', async (lab) => {
  for (const { name } of lab.nodes) {
    await waitFor(
      `nothing to be wrong at ${name}`,
      async () => (await doctor(lab, name)).status === 0,
      30_000,
    );
  }
  const { all } = await doctor(lab, 'n1');
  const looked = all.map(({ what }) => what).join('\n');
  for (const what of [
    'agent',
    'kernel',
    'certificate',
    'TCP 2377',
    'TCP 2380',
    'clock',
    'etcd',
    'cluster',
    'MTU',
    'UDP 4789',
    'maps',
  ])
    assert.match(looked, what);
});

scenario('ports that are closed', async (lab) => {
  await without(lab, 'n1', 'tcp dport 2377', async () => {
    await says(lab, 'n4', /TCP 2377 of manager 192\.0\.2\.1: .*no answer → let TCP 2377 through/);
  });
  await without(lab, 'n2', 'tcp dport 2380', async () => {
    await says(lab, 'n1', /TCP 2380 of manager 192\.0\.2\.2: .*no answer → let TCP 2380 through/);
  });
});

scenario('a path that is narrower than the device says', async (lab) => {
  await lab.sh('n4', 'ip link set eth0 mtu 1400');
  try {
    await says(lab, 'n1', /MTU to node n4: .*not to 1500 bytes → give the path the same MTU/);
  } finally {
    await lab.sh('n4', 'ip link set eth0 mtu 1500');
  }
});

scenario('an agent that does not run, here and there', async (lab) => {
  await lab.killAgent('n4');
  assert.match((await doctor(lab, 'n4')).faults, /agent: .*no agent is listening.* → start it/);
  await says(lab, 'n1', /node n4: down: .* → start its agent; .*plait node rm/);
  await lab.startAgent('n4');
});

scenario('a certificate that cannot be read, and one that expired', async (lab) => {
  const { certificate } = filesOf(lab, 'n4');
  const good = readFileSync(certificate);
  writeFileSync(certificate, 'nonsense');
  assert.match((await doctor(lab, 'n4')).faults, /certificate: .* → .*plait join/);
  writeFileSync(certificate, good);
  const { stdout } = await lab.try('n4', ['faketime', '-f', '+100d', 'plait', 'doctor']);
  assert.match(stdout, /certificate: it expired on .*\n.*set the clock, or .*plait join/);
});

scenario('a clock that is wrong', async (lab) => {
  const { stdout } = await lab.try('n4', ['faketime', '-f', '+2h', 'plait', 'doctor']);
  assert.match(stdout, /clock of manager .*72\d\d\.\d s behind this host\n.*timedatectl/);
});

scenario(
  'an underlay that is cut: local traffic goes on, both sides, and all heals by itself',
  async (lab) => {
    await losesNothing(lab, 'c3', far[1]?.address ?? '', async () => {
      await losesNothing(lab, 'c1', near[1]?.address ?? '', async () => {
        await cutOff(lab, 'n4', async () => {
          await sleep(PARTITION_MS);
          assert.not.ok(await canReach(lab, 'c1', far[0]?.address ?? ''));
          await says(lab, 'n4', /cluster: not followed: .*traffic goes on as it was/);
          const { etcd } = await lab.client('n4').get<StatusAnswer>('/v1/status');
          assert.is(etcd.state, 'unreachable');
        });
        const healed = performance.now();
        await waitFor(
          'both sides to reach each other',
          () => canReach(lab, 'c1', far[0]?.address ?? ''),
          10_000,
        );
        await waitFor('the node to follow the cluster', async () => {
          return (await lab.client('n4').get<StatusAnswer>('/v1/status')).etcd.state === 'connected';
        });
        const took = performance.now() - healed;
        console.log(`NOTE healed ${(took / 1000).toFixed(1)} s after the cut`);
      });
    });
    for (const { name } of lab.nodes) {
      await waitFor(`verify at ${name}`, async () => (await lab.try(name, ['plait', 'verify'])).status === 0);
    }
  },
);

scenario('a node that is paused takes nothing new, and keeps what it has', async (lab) => {
  await lab.plait('n1', 'node update --availability pause --label-add rack=7 n4');
  await waitFor('it to know', async () => {
    const { stderr } = await lab.try('n4', [
      'plait',
      'attach',
      '--network',
      'app',
      '--name',
      'x',
      lab.netns('c3'),
    ]);
    return stderr.includes('node n4 is set to pause');
  });
  assert.match(await lab.plait('n1', 'node ls --filter label=rack=7'), 'pause');
  assert.ok(await canReach(lab, 'c1', far[0]?.address ?? ''));
  await lab.plait('n1', 'node update --availability active --label-rm rack n4');
});

scenario('the socket is root’s, or that of a group', async (lab) => {
  const { socket } = pathsFor(lab.root('n4'));
  assert.is(statSync(socket).mode & 0o777, 0o600);
  await lab.killAgent('n4', 'SIGTERM');
  const agent = lab.start('n4', `plait agent --root ${lab.root('n4')} --socket-group daemon`);
  await waitFor('the agent to answer', async () => (await lab.try('n4', ['plait', 'status'])).status !== 1);
  assert.equal([statSync(socket).mode & 0o777, statSync(socket).gid], [0o660, 1]);
  await agent.stop('SIGTERM');
  const refused = await lab.try('n4', [
    'plait',
    'agent',
    '--root',
    lab.root('n4'),
    '--socket-group',
    'nobodies',
  ]);
  assert.match(refused.stderr, 'this host has no such group');
  await lab.startAgent('n4');
});

run();
