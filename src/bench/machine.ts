/* Where a run takes place: what its readers must know to compare it with another. */
import { arch, availableParallelism, cpus, hostname, release, totalmem } from 'node:os';
import { z } from 'zod';
import { run } from '../net/run.js';
import type { Machine, Underlay } from './result.js';

export const machineSchema = z.object({
  name: z.string(),
  kernel: z.string(),
  architecture: z.string(),
  processor: z.string(),
  cpus: z.number(),
  memoryBytes: z.number(),
});

export function thisMachine(): Machine {
  return {
    name: hostname(),
    kernel: release(),
    architecture: arch(),
    processor: cpus()[0]?.model ?? 'unknown',
    cpus: availableParallelism(),
    memoryBytes: totalmem(),
  };
}

/** The interface over which an address is reached, in a network namespace. */
export async function underlayTowards(address: string, netns?: string): Promise<Underlay> {
  const doing = `find the way to ${address}`;
  const [route] = JSON.parse(await run('ip', ['-j', 'route', 'get', address], { doing, netns })) as {
    dev?: string;
  }[];
  const device = route?.dev;
  if (!device) throw new Error(`${doing}: there is no route`);
  return underlayOf(device, netns);
}

export async function underlayOf(device: string, netns?: string): Promise<Underlay> {
  const doing = `describe interface ${device}`;
  const [link] = JSON.parse(await run('ip', ['-j', 'link', 'show', device], { doing, netns })) as {
    mtu?: number;
  }[];
  const driver = await run('ethtool', ['-i', device], { doing, netns }).catch(() => '');
  return { driver: /^driver: (\S+)$/m.exec(driver)?.[1] ?? 'unknown', mtu: link?.mtu ?? 0 };
}
