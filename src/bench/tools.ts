/* The programs that measure, and the Debian packages that hold them. */
import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import { PlaitError } from '../model/errors.js';

const PACKAGES = {
  iperf3: 'iperf3',
  sockperf: 'sockperf',
  nginx: 'nginx',
  wrk: 'wrk',
  'redis-server': 'redis-server',
  'redis-benchmark': 'redis-tools',
  ethtool: 'ethtool',
  taskset: 'util-linux',
  dockerd: 'docker.io',
} as const;

export type Tool = keyof typeof PACKAGES;

/** Fails with the Debian packages of those that are not installed. */
export function requireTools(tools: readonly Tool[]): void {
  const missing = [...new Set(tools)].filter((tool) => !isInstalled(tool));
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((tool) => PACKAGES[tool]))].join(' ');
  throw new PlaitError('TOOL_MISSING', `find ${missing.join(', ')}: not installed`, {
    hint: `apt install ${packages}, or choose what does without by --workload and --variant`,
  });
}

/** nginx and dockerd are in sbin, which is not in everybody's PATH. */
function isInstalled(tool: Tool): boolean {
  const directories = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin'];
  return directories.some((directory) => {
    try {
      accessSync(path.join(directory, tool), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
