/* Whether containers get netkit devices: the kernel must have them, and the installed `ip` know them. */
import { features } from 'libbpf-ts-bindings';
import { PlaitError } from '../model/errors.js';
import { CommandFailed, run } from './run.js';

/** What a container's pair of devices is: bpf/README.md compares them. */
export type LinkKind = 'veth' | 'netkit';

export type LinkMode = 'auto' | 'veth' | 'netkit';

export interface LinkChoice {
  readonly kind: LinkKind;
  /** For people. */
  readonly reason: string;
}

/**
 * What both ends need: frames with Ethernet headers, and the end inside mute until a program decides. The device's name
 * comes before it, the peer's options behind it. One such line for each `ip`: it remembers "mode" across a batch.
 */
export const NETKIT = 'type netkit mode l2 forward peer blackhole';

/** Why there is none; undefined when it works. Tries it in a namespace that goes away with the attempt. */
export async function netkitObstacle(): Promise<string | undefined> {
  if (!features.netkit()) return 'this kernel has none';
  const doing = 'try a netkit device';
  try {
    await run(
      'unshare',
      ['--net', 'ip', 'link', 'add', 'name', 'try0', ...NETKIT.split(' '), 'name', 'try1'],
      { doing },
    );
    return undefined;
  } catch (error) {
    if (error instanceof CommandFailed) return `the installed ip cannot make one (${error.message})`;
    throw error;
  }
}

/** What new endpoints get; those that exist keep what they have. NO_NETKIT where it was asked for and cannot be. */
export async function chooseLinks(mode: LinkMode): Promise<LinkChoice> {
  if (mode === 'veth') return { kind: 'veth', reason: '--link veth' };
  const obstacle = await netkitObstacle();
  if (obstacle === undefined) {
    return { kind: 'netkit', reason: mode === 'auto' ? 'kernel and ip have it' : '--link netkit' };
  }
  if (mode === 'auto') return { kind: 'veth', reason: `no netkit: ${obstacle}` };
  throw new PlaitError('NO_NETKIT', `use netkit: ${obstacle}`, {
    hint: 'it takes Linux 6.7 and iproute2 6.7; --link veth works everywhere',
  });
}
