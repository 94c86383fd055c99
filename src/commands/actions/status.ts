import type { Command } from 'commander';
import type { DifferenceAnswer, MapAnswer, StatusAnswer, VerifyAnswer } from '../../model/api.js';
import { paint } from '../../output/colour.js';
import { exitCodes } from '../../output/errors.js';
import { print, printJson, say, warn } from '../../output/print.js';
import { type Column, formatLines, formatTable } from '../../output/table.js';
import { formatBytes, formatDuration } from '../../output/text.js';
import type { StatusFlags } from '../status.js';
import { clientOf } from './common.js';

export async function showStatus({ format }: StatusFlags, command: Command): Promise<void> {
  const status = await clientOf(command).get<StatusAnswer>('/v1/status');
  if (format === 'json') printJson(status);
  else print(formatStatus(status));
  status.warnings.forEach(warn);
  if (status.warnings.length > 0) process.exitCode = exitCodes.warnings;
}

export async function verify({ format }: StatusFlags, command: Command): Promise<void> {
  const answer = await clientOf(command).get<VerifyAnswer>('/v1/verify');
  if (format === 'json') printJson(answer);
  else print(formatVerify(answer));
  answer.warnings.forEach(warn);
  if (answer.differences.length > 0) {
    say('hint: the agent mends maps within a minute, and what is left when it starts');
    process.exitCode = exitCodes.failed;
  } else if (answer.warnings.length > 0) process.exitCode = exitCodes.warnings;
}

function formatStatus(status: StatusAnswer): string {
  const { node, features, underlay, networks, endpoints, nodes, pending } = status;
  const lines: [string, string][] = [
    ['node', `${node.name} (${node.id}), VTEP ${node.vtep}`],
    ['agent', `${status.version}, pid ${status.pid}, up ${formatDuration(status.uptimeSeconds)}`],
    ['memory', formatBytes(status.memory.residentBytes)],
    ['root', status.root ?? '/'],
    ['kernel', status.kernel],
    ['features', describeFeatures(features.found)],
    ['paths', describePaths(features.paths)],
    ['links', `${status.links.kind} for new endpoints (${status.links.reason})`],
    ['underlay', `${underlay.device}, MTU ${underlay.mtu}, UDP port ${underlay.port}`],
    ['xdp', describeXdp(status)],
    ['etcd', describeEtcd(status)],
    ['nodes', `${nodes.ready} ready, ${nodes.down > 0 ? paint(`${nodes.down} down`, 'red') : '0 down'}`],
    ['networks', `${networks.total}, ${networks.live} live here`],
    ['endpoints', `${endpoints.known} known, ${endpoints.local} local`],
    ['maps', describeMaps(status)],
    ['drops', String(status.drops)],
    ['pending', `${pending.rows} rows for the maps, ${pending.writes} writes for etcd`],
  ];
  return formatLines(lines.map(([what, value]) => [`${what}:`, value]));
}

function describeFeatures(found: StatusAnswer['features']['found']): string {
  const those = (present: boolean) =>
    Object.keys(found)
      .filter((name) => found[name] === present)
      .join(', ');
  return `${those(true) || 'none'}; not found: ${those(false) || 'none'}`;
}

function describePaths({ attach, otherFamily }: StatusAnswer['features']['paths']): string {
  return `programs attached by ${attach}, inner packets of the other IP version taken out in ${otherFamily}`;
}

function describeXdp({ xdp, underlay }: StatusAnswer): string {
  if (xdp.mode === null) return `off (--xdp ${xdp.option}): ${xdp.reason}`;
  return `${xdp.mode} on ${underlay.device} (--xdp ${xdp.option})`;
}

/** How near to full the fullest one is: what a full map cannot hold, nobody reaches. */
function describeMaps({ maps }: StatusAnswer): string {
  const share = ({ entries, maxEntries }: MapAnswer) => entries / (maxEntries ?? Number.POSITIVE_INFINITY);
  const [fullest] = maps.filter(({ type }) => type === 'hash').sort((a, b) => share(b) - share(a));
  if (!fullest) return String(maps.length);
  return `${maps.length}, the fullest is ${fullest.name} with ${fullest.entries} of ${fullest.maxEntries} entries`;
}

function describeEtcd({ etcd }: StatusAnswer): string {
  if (etcd.state === 'connected') {
    const at = etcd.revision === null ? '' : ` at revision ${etcd.revision}`;
    return `${paint('connected', 'green')}${at}, ${etcd.endpoints.join(', ')}`;
  }
  const reason = etcd.error === null ? '' : ` (${etcd.error})`;
  return `${paint('unreachable', 'red')}${reason}, last contact ${etcd.lastContact ?? 'never'}`;
}

const differenceColumns: Column<DifferenceAnswer>[] = [
  { title: 'TABLE', text: ({ table }) => table },
  { title: 'KEY', text: ({ key }) => key },
  { title: 'PROBLEM', text: ({ problem }) => problem },
  { title: 'EXPECTED', text: ({ expected }) => expected ?? '-' },
  { title: 'ACTUAL', text: ({ actual }) => actual ?? '-' },
];

function formatVerify({ differences, checked, source, revision }: VerifyAnswer): string {
  if (differences.length > 0) return formatTable(differenceColumns, differences);
  const rows = Object.values(checked).reduce((sum, count) => sum + count, 0);
  const truth =
    source === 'etcd' ? `etcd at revision ${revision}` : `the last known state (revision ${revision})`;
  return `${paint('no differences', 'green')}: ${rows} rows agree with ${truth}`;
}
