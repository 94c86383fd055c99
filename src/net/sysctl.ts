/*
 * Kernel settings of the host that forwarding needs. What they were before is written to a file first, so that
 * leaving the machine can restore them; the file is of one boot, because a boot sets everything anew.
 */
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { PlaitError } from '../model/errors.js';

interface Saved {
  boot: string;
  /** Setting (a path below /proc/sys) → what it was. */
  values: Record<string, string>;
}

export class Sysctls {
  readonly #file: string;
  /** Writes of the file, one after another: each begins with what the last one left. */
  #last: Promise<unknown> = Promise.resolve();

  /** `state` is a directory that outlives the agent. */
  constructor(state: string) {
    this.#file = path.join(state, 'sysctls.json');
  }

  async get(setting: string): Promise<string | undefined> {
    const text = await readFile(pathOf(setting), 'utf8').catch(() => undefined);
    return text?.trim();
  }

  /** Writes the setting if it differs, after noting its old value. False: it had that value already. */
  async set(setting: string, value: string): Promise<boolean> {
    const old = await this.get(setting);
    if (old === value) return false;
    if (old === undefined) throw refused(setting, value, 'the kernel has no such setting');
    const remembered = this.#last.catch(() => undefined).then(() => this.#remember(setting, old));
    this.#last = remembered;
    await remembered;
    await writeFile(pathOf(setting), value).catch((error: Error) => {
      throw refused(setting, value, error.message);
    });
    return true;
  }

  /** Puts back everything that `set` changed since the machine booted. Settings of vanished devices are skipped. */
  async restore(): Promise<void> {
    const saved = await this.#saved();
    for (const [setting, value] of Object.entries(saved.values).reverse()) {
      await writeFile(pathOf(setting), value).catch(() => undefined);
    }
    await rm(this.#file, { force: true });
  }

  /** The first value wins: it is the one from before us. */
  async #remember(setting: string, value: string): Promise<void> {
    const saved = await this.#saved();
    if (setting in saved.values) return;
    saved.values[setting] = value;
    await mkdir(path.dirname(this.#file), { recursive: true });
    const draft = `${this.#file}.new`;
    await writeFile(draft, JSON.stringify(saved));
    await rename(draft, this.#file); // a crash leaves the old file or the new one
  }

  async #saved(): Promise<Saved> {
    const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
    const text = await readFile(this.#file, 'utf8').catch(() => undefined);
    const saved = text === undefined ? undefined : parseSaved(this.#file, text);
    return saved?.boot === boot ? saved : { boot, values: {} };
  }
}

function parseSaved(file: string, text: string): Saved {
  try {
    const { boot, values } = JSON.parse(text) as Partial<Saved>;
    if (typeof boot === 'string' && typeof values === 'object' && values !== null) return { boot, values };
  } catch {
    // told below
  }
  throw new PlaitError('STATE_DAMAGED', `read ${file}: it does not hold the settings of the host`, {
    hint: 'remove the file; what was changed before stays changed until the next boot',
  });
}

/** Devices that have settings of their own for that IP version. */
export async function devicesWithSettings(version: 4 | 6): Promise<string[]> {
  const names = await readdir(`/proc/sys/net/ipv${version}/conf`).catch(() => []);
  return names.filter((name) => name !== 'all' && name !== 'default');
}

function pathOf(setting: string): string {
  return path.join('/proc/sys', setting);
}

function refused(setting: string, value: string, cause: string): PlaitError {
  return new PlaitError('SYSCTL_REFUSED', `set ${setting.replaceAll('/', '.')} to ${value}: ${cause}`);
}
