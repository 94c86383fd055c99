// Two virtual machines over virtio NICs: what namespaces and veth hide. Part of the kernel matrix, and by itself:
//
//     node dist/test/kernels/two-vms.js [--kernel PACKAGE] [--only WORDS] [--cpus N]

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { exitOnSignals, scratchDirectory } from '../vm/ending.js';
import { type Kernel, kernelOf, rootDisk } from '../vm/images.js';
import { FAULT_STEPS } from './two-vms-faults.js';
import { PACKAGES, type Pair, setUpPlait, startPair } from './two-vms-pair.js';
import { productDisk } from './two-vms-product.js';
import { everyDropExplained, mapsAgree, moveUnderlay, PLAIN_STEPS, type Step } from './two-vms-steps.js';

export interface TwoVmsOptions {
  /** A root disk that has PACKAGES; made when left out. */
  root?: string;
  /** Only steps whose name holds this. */
  only?: string;
  /** Without the steps that are extra, and without the IPv6 underlay. */
  brief?: boolean;
  /** Processors of each machine. */
  cpus?: number;
  /** After which the machines are ended, and what is left fails. */
  limitSeconds?: number;
  log?: (line: string) => void;
}

export interface TwoVmsResult {
  passed: number;
  failed: number;
  skips: string[];
  seconds: number;
}

const OVER_IPV6 = [
  'containers reach each other by address',
  'UDP of 18 bytes',
  'TCP both ways in aggregates',
  'TCP both ways with all offloads',
  'packets of exactly the MTU',
  'what does not fit',
  'broadcast and multicast',
];

function plan(brief: boolean): Step[] {
  const last: Step[] = [
    { name: 'plait verify finds no difference', run: mapsAgree },
    { name: 'plait drops explains every drop', run: everyDropExplained },
  ];
  const first = [...PLAIN_STEPS, ...FAULT_STEPS];
  if (brief) return [...first.filter(({ extra }) => !extra), ...last];
  const v6 = PLAIN_STEPS.filter(({ name }) => OVER_IPV6.some((start) => name.startsWith(start)));
  return [
    ...first,
    { name: 'agents move to the IPv6 underlay, endpoints stay', run: (pair) => moveUnderlay(pair, 6) },
    ...v6.map(({ name, run }) => ({ name: `IPv6 underlay: ${name}`, run })),
    ...last,
  ];
}

/** The steps that `only` asks for, with the moves to the other underlay that they need. */
function select(steps: readonly Step[], only: string | undefined): Step[] {
  if (only === undefined) return [...steps];
  const chosen = steps.filter(({ name }) => name.includes(only));
  const v6 = chosen.some(({ name }) => name.startsWith('IPv6 underlay'));
  return steps.filter((step) => chosen.includes(step) || (v6 && step.name.startsWith('agents move')));
}

export async function runTwoVms(kernel: Kernel, options: TwoVmsOptions = {}): Promise<TwoVmsResult> {
  const { log = console.log, cpus = 1 } = options;
  const started = Date.now();
  const result: TwoVmsResult = { passed: 0, failed: 0, skips: [], seconds: 0 };
  const directory = scratchDirectory('plait-two-vms-');
  let pair: Pair | undefined;
  const attempt = async (step: Step): Promise<boolean> => {
    const begun = Date.now();
    try {
      const remark = pair && (await step.run(pair));
      result.passed += 1;
      log(`ok    ${seconds(begun)} s  ${step.name}${typeof remark === 'string' ? ` (${remark})` : ''}`);
      return true;
    } catch (error) {
      result.failed += 1;
      log(`FAIL  ${seconds(begun)} s  ${step.name}\n${indent(error)}`);
      return false;
    }
  };
  const limit = options.limitSeconds === undefined ? {} : { limitSeconds: options.limitSeconds };
  try {
    const root = options.root ?? (await rootDisk({ kernel, packages: PACKAGES }));
    const product = await productDisk(join(directory, 'product'));
    pair = await startPair({ kernel, root, product, cpus, ...limit });
    log(`      ${seconds(started)} s  two machines with Linux ${kernel.version} are up`);
    if (
      await attempt({ name: 'etcd, two agents, a network and two containers are set up', run: setUpPlait })
    ) {
      for (const step of select(plan(options.brief ?? false), options.only)) await attempt(step);
    }
    if (result.failed > 0) log(await postMortem(pair));
  } finally {
    await pair?.end();
    await rm(directory, { recursive: true, force: true });
  }
  result.seconds = (Date.now() - started) / 1000;
  return result;
}

async function postMortem(pair: Pair): Promise<string> {
  const script = 'tail -n 15 /run/agent.log; counters; ip -s link show; dmesg | tail -n 8';
  const said = await Promise.all(pair.both.map((guest) => guest.try(script)));
  return said.map(({ output }, index) => `machine ${index + 1}:\n${indent(output)}`).join('\n');
}

const seconds = (since: number): string => ((Date.now() - since) / 1000).toFixed(1).padStart(5);
const indent = (text: unknown): string =>
  String(text instanceof Error ? (text.stack ?? text.message) : text).replace(/^/gm, '          | ');

async function main(): Promise<void> {
  exitOnSignals();
  const { values } = parseArgs({
    options: {
      kernel: { type: 'string', default: 'linux-image-cloud-amd64' },
      only: { type: 'string' },
      cpus: { type: 'string', default: '1' },
    },
  });
  const kernel = await kernelOf(values.kernel);
  const chosen = values.only === undefined ? {} : { only: values.only };
  const {
    passed,
    failed,
    skips,
    seconds: took,
  } = await runTwoVms(kernel, { ...chosen, cpus: Number(values.cpus) });
  for (const skip of skips) console.log(`skipped  ${skip}`);
  console.log(`${took.toFixed(0)} s, ${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}

if (process.argv[1] === import.meta.filename) await main();
