/*
 * The host's resolvers, as /etc/resolv.conf names them. The file is looked at again at most once a second, and read
 * again when it changed: a watch would lose the file when a DHCP client replaces it, or the link it is.
 */
import { readFile, stat } from 'node:fs/promises';
import { isIP } from 'node:net';

/** Ours (and Docker's) address inside containers: an agent that runs in one would ask itself. */
const SELF = '127.0.0.11';
/** As many as the C library looks at. */
const MAX_SERVERS = 3;
const LOOK_AGAIN_MS = 1000;

/** The name servers of a resolv.conf (see resolv.conf(5)), ours left out. */
export function parseResolvConf(text: string): string[] {
  const servers = text.split('\n').flatMap((line) => {
    const [keyword, value] = line.trim().split(/\s+/);
    return keyword === 'nameserver' && value !== undefined && isIP(value) !== 0 ? [value] : [];
  });
  return servers.slice(0, MAX_SERVERS).filter((server) => server !== SELF);
}

export class ResolvConf {
  readonly #path: string;
  #servers: readonly string[] = [];
  #version = '';
  #lookAgainAt = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** The name servers to ask, in order. A file that cannot be read just now means the ones known before. */
  async servers(): Promise<readonly string[]> {
    const now = performance.now();
    if (now < this.#lookAgainAt) return this.#servers;
    this.#lookAgainAt = now + LOOK_AGAIN_MS;
    try {
      const { mtimeMs, ino, size } = await stat(this.#path);
      const version = `${ino} ${mtimeMs} ${size}`;
      if (version === this.#version) return this.#servers;
      this.#servers = parseResolvConf(await readFile(this.#path, 'utf8'));
      this.#version = version;
    } catch {
      // Missing while it is replaced, or for good: either way the old ones are the best guess.
    }
    return this.#servers;
  }
}
