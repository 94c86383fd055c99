/* What a lab writes down, so that `lab exec` and `lab down` work from another process and after a crash. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { type LabSpec, stateDir } from './topology.js';

const daemonSchema = z.object({ pid: z.number(), startTime: z.string() });

const stateSchema = z.object({
  spec: z.object({
    name: z.string(),
    nodes: z.number(),
    managers: z.number(),
    certExpiry: z.string(),
    plainHosts: z.array(z.string()),
    ipv6Underlay: z.boolean(),
    mtu: z.number(),
  }),
  /** Namespaces beside the hosts, in the order in which they were added. */
  containers: z.array(z.string()),
  /** By name: etcd, n1, n2 … */
  daemons: z.record(z.string(), daemonSchema),
});
export type LabState = z.infer<typeof stateSchema>;

export function emptyState(spec: LabSpec): LabState {
  return { spec, containers: [], daemons: {} };
}

/** Undefined when there is no such lab, or not even enough of it to be read. */
export function readState(lab: string): LabState | undefined {
  try {
    return stateSchema.parse(JSON.parse(readFileSync(statePath(lab), 'utf8')));
  } catch {
    return undefined;
  }
}

export function writeState(state: LabState): void {
  const target = statePath(state.spec.name);
  mkdirSync(path.dirname(target), { recursive: true });
  writeFileSync(`${target}.new`, JSON.stringify(state, undefined, 2));
  renameSync(`${target}.new`, target);
}

export function hasState(lab: string): boolean {
  return existsSync(stateDir(lab));
}

const statePath = (lab: string): string => path.join(stateDir(lab), 'state.json');
