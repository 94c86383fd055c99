/*
 * `npm run lab`: three hosts, a network, a container on each, and the proof by ordinary tools that they talk.
 * It reads as a transcript; a step that fails ends it with exit code 1, and nothing of it stays behind.
 */
import { PLAIN_HOSTS } from './bench/lab-variants.js';
import { benchIn } from './bench/local-run.js';
import { sentences } from './bench/report.js';
import { WORKLOADS } from './bench/workloads.js';
import { Capture } from './lab/capture.js';
import { Lab } from './lab/lab.js';
import { waitFor } from './lab/wait.js';

const NAME = 'demo';
const NETWORK = 'app';
/** Ethernet, IPv4, UDP, VXLAN: what an IPv4 underlay adds to each packet. */
const OVERHEAD = 50;
/** What the comparison with the kernel's overlay measures; `plait bench` measures more. */
const COMPARED = ['tcp-stream', 'tcp-rr', 'udp-64'];

interface Member {
  node: string;
  container: string;
  name: string;
  addresses: string[];
}

export async function labDemo(): Promise<void> {
  const started = performance.now();
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  await Lab.remove(NAME); // what a run that was killed has left
  const shown = show();
  try {
    await Promise.race([shown, abortion(interrupted.signal)]);
  } finally {
    heading('taking everything down');
    await Lab.remove(NAME);
    // After an interruption a step may still have been under way: it has lost its ground now and ends.
    await shown.catch(() => {});
    await Lab.remove(NAME);
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
  print(
    `All of it worked, in ${((performance.now() - started) / 1000).toFixed(0)} s. Nothing is left behind.`,
  );
}

async function show(): Promise<void> {
  heading(
    'three hosts on one underlay (network namespaces): `plait init` on the first, `plait join` on the others',
  );
  const lab = await Lab.up({
    name: NAME,
    nodes: 3,
    managers: 1,
    plainHosts: [...PLAIN_HOSTS],
    progress: print,
  });
  await transcript(lab, 'n1', 'plait node ls');

  heading('a network, and a container on each host');
  await transcript(lab, 'n1', `plait network create --subnet 10.10.0.0/24 --subnet fd10:10::/64 ${NETWORK}`);
  const members = await attachAll(lab);
  await transcript(lab, 'n1', 'plait endpoint ls');

  heading('every container reaches every other, by address and by name');
  for (const from of members) {
    for (const to of members.filter((member) => member !== from)) await pingAll(lab, from, to);
  }

  heading('names are answered inside each container, at 127.0.0.11');
  await transcript(lab, 'c1', 'dig +noall +answer web2 A web2 AAAA');
  await transcript(lab, 'c3', `dig +noall +answer -x ${members[0]?.addresses[0] ?? ''}`);

  heading('what the wire carries');
  await showWire(lab);

  heading('TCP between two hosts');
  await showTcp(lab);

  heading('what the datapath knows and has counted');
  await transcript(lab, 'n1', 'plait map dump fdb');
  await transcript(lab, 'n1', 'plait drops');
  for (const node of lab.nodes) await transcript(lab, node.name, 'plait verify');

  heading('the same machine, the same minute: the kernel’s vxlan device and bridge, as Docker builds them');
  const result = await benchIn(lab, {
    variants: ['kernel', 'plait'],
    workloads: WORKLOADS.filter(({ info }) => COMPARED.includes(info.id)),
    ...{ repetitions: 2, seconds: 1, offloads: ['on'], progress: () => {} },
  });
  for (const line of sentences(result, result.tables[0])) print(`   ${line}`);
}

async function attachAll(lab: Lab): Promise<Member[]> {
  const members: Member[] = [];
  for (const [index, { name: node }] of lab.nodes.entries()) {
    const container = `c${index + 1}`;
    const name = `web${index + 1}`;
    const netns = await lab.addContainer(container);
    await transcript(lab, node, `plait attach --network ${NETWORK} --name ${name} ${netns}`);
    const [endpoint] = JSON.parse(await lab.plait(node, `endpoint inspect ${name}`)) as {
      addresses: string[];
    }[];
    members.push({ node, container, name, addresses: endpoint?.addresses ?? [] });
  }
  return members;
}

async function pingAll(lab: Lab, from: Member, to: Member): Promise<void> {
  await waitFor(`${from.container} to know ${to.name}`, async () => {
    return (await lab.try(from.container, ['getent', 'ahosts', to.name])).status === 0;
  });
  const times: string[] = [];
  for (const target of [to.name, ...to.addresses]) {
    const output = await lab.sh(from.container, `ping -n -c 1 -W 2 ${target}`);
    times.push(`${target} ${/time=([\d.]+) ms/.exec(output)?.[1] ?? '?'} ms`);
  }
  print(`${from.container}# ping   ${times.join(', ')}`);
}

async function showWire(lab: Lab): Promise<void> {
  const capture = await Capture.start(lab, { member: 'n2', filter: 'udp port 4789' });
  await lab.sh('c1', 'ping -4 -n -c 1 -W 2 web2');
  const text = await capture.describe('icmp.type == 8', 'vxlan');
  print(
    text
      .split('\n')
      .filter((line) => line.trim() !== '')
      .slice(0, 18)
      .map((line) => `   ${line}`)
      .join('\n'),
  );

  const [packet] = await capture.stop(['frame.len', 'ip.len', 'vxlan.vni'], 'icmp.type == 8');
  const inner = Number(packet?.['ip.len'][1]) + 14;
  const overhead = Number(packet?.['frame.len'][0]) - inner;
  print(`   overhead: ${overhead} bytes around an inner frame of ${inner}`);
  if (overhead !== OVERHEAD)
    throw new Error(`read the capture: overhead of ${overhead} bytes, not ${OVERHEAD}`);
}

async function showTcp(lab: Lab): Promise<void> {
  const server = lab.start('c2', 'iperf3 -s -1');
  await waitFor('iperf3 to listen', async () => (await lab.sh('c2', 'ss -Hltn sport = :5201')) !== '');
  const before = await transmitted(lab);
  await transcript(lab, 'c1', 'iperf3 -c web2 -t 2 -i 0 -f g');
  await server.outcome;
  const after = await transmitted(lab);
  const size = (after.bytes - before.bytes) / (after.packets - before.packets);
  print(
    `   ${size.toFixed(0)} bytes per packet on n1's eth0: TCP leaves as GSO packets, not as frames of 1500 bytes`,
  );
}

async function transmitted(lab: Lab): Promise<{ bytes: number; packets: number }> {
  const [link] = JSON.parse(await lab.sh('n1', 'ip -j -s link show eth0')) as {
    stats64: { tx: { bytes: number; packets: number } };
  }[];
  if (!link) throw new Error('read the counters of n1: it has no eth0');
  return link.stats64.tx;
}

async function transcript(lab: Lab, member: string, line: string): Promise<void> {
  const output = (await lab.sh(member, line)).trimEnd();
  print(`${member}# ${line}${output ? `\n${output.replace(/^/gm, '   ')}` : ''}`);
}

function abortion(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error('run the demonstration: interrupted')), {
      once: true,
    });
  });
}

const heading = (text: string): void => print(`\n── ${text}`);
const print = (text: string): void => void process.stdout.write(`${text}\n`);
