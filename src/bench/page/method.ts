/* On what a result was measured, how, and the command that does it again. */
import type { BenchResult, Machine } from '../result.js';
import { WORKLOADS } from '../workloads.js';
import { html, type Markup } from './html.js';
import { day, processors } from './words.js';

export function machineList(result: BenchResult): Markup {
  const { underlay, topology } = result;
  const roles = topology === 'lab' ? ['Both hosts'] : ['Client', 'Server'];
  const entries: [string, string][] = [
    ...result.machines.map((machine, index): [string, string] => [
      roles[index] ?? 'Host',
      describeMachine(machine),
    ]),
    ['Underlay', `${underlay.driver}, MTU ${underlay.mtu}`],
    ['Measured', `${day(result.startedAt)}, ${result.repetitions} × ${result.seconds} s for each figure`],
    ['By', [...new Set(result.workloads.map(({ tool }) => tool))].join(', ')],
  ];
  return html`<dl>${entries.map(([term, text]) => html`<dt>${term}</dt><dd>${text}</dd>`)}</dl>`;
}

function describeMachine(machine: Machine): string {
  const memory = `${(machine.memoryBytes / 2 ** 30).toFixed(1)} GiB`;
  return `${machine.name}: ${processors(machine)}, ${memory}, Linux ${machine.kernel} (${machine.architecture})`;
}

export function method(result: BenchResult): Markup[] {
  const lab = result.topology === 'lab';
  return [
    lab
      ? html`<p>Both hosts are network namespaces of one machine, so that both share its processors, and the underlay between them is virtual.
Side by side stand the ways to be compared; “kernel” is an overlay network as Docker builds it, of a vxlan device and a bridge. Only ratios travel to
other machines.</p>`
      : html`<p>One machine runs the servers, the other one measures, over each of the ways to be compared.</p>`,
    html`<p>Ordinary tools measure. The order of the variants rotates with each repetition, so that a slow minute of a machine hits all of them.
Bars end at the median, whiskers reach from the lowest to the highest sample, and the dots are the samples, the first one on top. All axes begin at zero.
CPU time is what all processors of both hosts spent on system and softirq, whoever caused it.</p>`,
    html`<p>With offloads on, the underlay’s TSO, GSO and GRO are in use${lab ? ', and a veth carries packets of up to 64 KB whole' : ''}. With
offloads off they are not: that stands for a NIC without offloads for tunnels.</p>`,
  ];
}

/** The command lines that measure the same again. */
export function repeatLines(result: BenchResult): string[] {
  const { topology, variants, repetitions, seconds, tables } = result;
  const offloads = tables.length > 1 ? 'both' : (tables[0]?.offloads ?? 'as found');
  const measured = result.workloads.map(({ id }) => id);
  const ways =
    topology === 'lab'
      ? [`--variant ${variants.map(({ id }) => id).join(',')}`]
      : variants.map(({ id }) => `--client ${quoted(`${id}=ADDRESS`)}`);
  const words = [
    'plait bench',
    ...ways,
    measured.length < WORKLOADS.length ? `--workload ${measured.map(quoted).join(',')}` : '',
    offloads === 'as found' ? '' : `--offloads ${offloads}`,
    `--repetitions ${repetitions} --seconds ${seconds} --html result.html`,
  ];
  const line = words.filter((word) => word !== '').join(' ');
  return topology === 'lab' ? [line] : ['plait bench --server    # on the other machine', line];
}

/** As a shell reads it as one word. */
const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
