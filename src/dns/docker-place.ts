/*
 * How the agent comes to answer in Docker's containers, which ask 127.0.0.11:53 and there Docker's resolver:
 * programs on the root of the cgroup tree (bpf/names.bpf.c) turn those questions to 127.0.0.11:61053, where and while
 * somebody listens there. Their links are this process's, so they go with it, and Docker's resolver is asked again.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { attachCgroup, type BpfLink, openObject } from 'libbpf-ts-bindings';
import { PlaitError } from '../model/errors.js';

/** Both as in bpf/names.bpf.c. What comes from that address is never turned. */
export const AGENT_PORT = 61053;
export const FORWARDER_ADDRESS = '127.0.0.12';

const OBJECT_PATH = fileURLToPath(new URL('../../bpf/names.bpf.o', import.meta.url));
const HOOKS = {
  names_connect: 'connect4',
  names_send: 'sendmsg4',
  names_receive: 'recvmsg4',
  names_peer: 'getpeername4',
} as const;

/** Takes Docker's place until `close`. Throws PlaitError NO_CGROUP, BpfError. */
export async function takeDockersPlace(): Promise<{ close(): void }> {
  const cgroup = await findCgroup();
  const object = openObject(OBJECT_PATH);
  const links: BpfLink[] = [];
  const close = (): void => {
    for (const link of links) link.close();
  };
  try {
    await object.load();
    for (const [program, hook] of Object.entries(HOOKS))
      links.push(attachCgroup(object.program(program), { cgroup, hook }));
    return { close };
  } catch (error) {
    close();
    throw error;
  } finally {
    object.close();
  }
}

/** Where the tree of cgroups (version 2) is mounted; beside those of version 1 it is there, too. */
async function findCgroup(): Promise<string> {
  const mounts = await readFile('/proc/self/mountinfo', 'utf8');
  const found = / \/ (\S+) .* - cgroup2 /.exec(mounts)?.[1];
  if (found !== undefined) return found;
  throw new PlaitError('NO_CGROUP', 'find the tree of cgroups: no cgroup2 is mounted', {
    hint: 'mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified',
  });
}
