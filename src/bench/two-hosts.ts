/* A run between real hosts: `plait bench --server` there, `--client` here, over whatever way the addresses take. */
import { existsSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import path from 'node:path';
import { InvalidInput, PlaitError } from '../model/errors.js';
import { askFarEnd, type FarEnd } from './far-end.js';
import { thisMachine, underlayTowards } from './machine.js';
import { measure, type Variant } from './measure.js';
import { type BenchResult, RESULT_VERSION, type Role } from './result.js';
import { requireTools } from './tools.js';
import type { Workload } from './workloads.js';

export interface ClientOptions {
  /** Each `[label=]address[@netns]`. */
  targets: readonly string[];
  workloads: readonly Workload[];
  repetitions: number;
  seconds: number;
  progress: (step: string) => void;
}

const ROLES: readonly Role[] = ['bare', 'kernel', 'plait', 'docker'];

export async function runAsClient(options: ClientOptions): Promise<BenchResult> {
  const { workloads, repetitions, seconds, progress } = options;
  const variants = parseTargets(options.targets);
  const crowd = workloads.find(({ threeHosts }) => threeHosts);
  if (crowd) throw new InvalidInput(`measure ${crowd.info.id}: it takes three hosts, which only a lab has`);
  requireTools(workloads.map(({ client }) => client));
  const startedAt = new Date().toISOString();
  const machines = [thisMachine()];
  for (const { info, target } of variants) {
    progress(`asking the servers at ${target.address} (${info.id})`);
    const far = await askFarEnd(target);
    refuseWithout(far, workloads, target.address);
    if (machines.length === 1) machines.push(far.machine);
  }
  const tables = await measure({
    variants,
    workloads,
    repetitions,
    seconds,
    offloads: ['as found'],
    progress,
  });
  const [{ target } = { target: undefined }] = variants;
  if (!target) throw new InvalidInput('run as client: no address is given');
  return {
    version: RESULT_VERSION,
    ...{ startedAt, repetitions, seconds, topology: 'hosts', machines },
    underlay: await underlayTowards(target.address, target.netns),
    variants: variants.map(({ info }) => info),
    workloads: workloads.map(({ info }) => info),
    tables,
  };
}

/** Labels `bare`, `kernel`, `plait` and `docker` say what the way is; any other is only a name. */
export function parseTargets(targets: readonly string[]): Variant[] {
  const variants = targets.map(parseTarget);
  const labels = variants.map(({ info }) => info.id);
  const twice = labels.find((label, index) => labels.indexOf(label) !== index);
  if (twice) throw new InvalidInput(`read --client: two addresses are labelled ${twice}`);
  return variants;
}

function parseTarget(text: string): Variant {
  const [, label, address = '', namespace] = /^(?:([\w.-]+)=)?([^=@]+)(?:@(.+))?$/.exec(text) ?? [];
  if (!isIPv4(address)) {
    const hint = 'give an IPv4 address, as in 192.0.2.2, plait=10.78.0.12 or plait=10.78.0.12@c1';
    throw new InvalidInput(`read --client ${text}: ${address || 'it'} is no IPv4 address`, hint);
  }
  const id = label ?? address;
  const role = ROLES.find((known) => known === id) ?? 'other';
  return { info: { id, title: id, role }, target: { address, netns: namespace && pathOf(namespace) } };
}

/** A name as in `ip netns`, or a path. */
function pathOf(namespace: string): string {
  const file = path.resolve('/run/netns', namespace);
  if (existsSync(file)) return file;
  throw new PlaitError('NAMESPACE_NOT_FOUND', `open network namespace ${namespace}: no such namespace`);
}

function refuseWithout(far: FarEnd, workloads: readonly Workload[], address: string): void {
  const missing = workloads.filter(({ server }) => !far.servers.includes(server));
  if (missing.length === 0) return;
  const ids = missing.map(({ info }) => info.id).join(', ');
  throw new PlaitError('SERVER_MISSING', `measure ${ids}: the servers at ${address} do not offer it`, {
    hint: 'start `plait bench --server` there without --workload, or with the same',
  });
}
