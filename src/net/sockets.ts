/* Which process holds a UDP port of this network namespace. */
import { readdir, readFile, readlink } from 'node:fs/promises';

/** "process 123 (name)", "the kernel" when no process has the socket, undefined when nobody has the port. */
export async function portHolder(port: number): Promise<string | undefined> {
  const inodes = await socketsOn(port);
  if (inodes.length === 0) return undefined;
  const targets = new Set(inodes.map((inode) => `socket:[${inode}]`));
  for (const pid of await readdir('/proc')) {
    if (/^\d+$/.test(pid) && (await holdsOne(pid, targets)))
      return `process ${pid} (${await commandOf(pid)})`;
  }
  return 'the kernel';
}

/** /proc/net/udp: "sl local_address rem_address st … uid timeout inode", addresses as HEX:HEXPORT. */
async function socketsOn(port: number): Promise<string[]> {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const inodes: string[] = [];
  for (const file of ['/proc/self/net/udp', '/proc/self/net/udp6']) {
    const lines = (await readFile(file, 'utf8').catch(() => '')).split('\n').slice(1);
    for (const line of lines) {
      const fields = line.trim().split(/\s+/);
      if (fields[1]?.endsWith(wanted)) inodes.push(fields[9] ?? '0');
    }
  }
  return inodes;
}

async function holdsOne(pid: string, targets: ReadonlySet<string>): Promise<boolean> {
  const fds = await readdir(`/proc/${pid}/fd`).catch(() => []);
  const links = await Promise.all(fds.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')));
  return links.some((link) => targets.has(link));
}

async function commandOf(pid: string): Promise<string> {
  return (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => 'gone')).trim();
}
