/*
 * What this node attached, is attaching or still has to remove from etcd: one small file per endpoint, written
 * before the first trace of an endpoint exists anywhere and removed after the last one is gone. It survives the
 * agent, not the machine: after a reboot the links are gone as well, and recovery finds that by itself.
 */
import { readdir, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { z } from 'zod';
import { endpointSchema } from '../model/records.js';
import { makePrivateDirectory, readJson, writeFileAtomically } from '../state/files.js';

const entrySchema = z.object({
  id: z.string(),
  phase: z.enum(['attaching', 'attached', 'detaching']),
  network: z.string(),
  netns: z.string(),
  netnsInode: z.number(),
  ifname: z.string(),
  hostIfname: z.string(),
  /** Somebody else moves the interface into the namespace, names it and gives it its addresses: Docker. */
  handed: z
    .object({
      /** Docker's id of the endpoint; empty while only its address is taken. */
      endpoint: z.string(),
    })
    .optional(),
  /** Known once its addresses are. */
  endpoint: endpointSchema.optional(),
});
export type JournalEntry = z.infer<typeof entrySchema>;

const suffix = '.json';

export class Journal {
  readonly #directory: string;
  readonly #entries: Map<string, JournalEntry>;

  private constructor(directory: string, entries: Map<string, JournalEntry>) {
    this.#directory = directory;
    this.#entries = entries;
  }

  static async open(directory: string, log: Logger): Promise<Journal> {
    await makePrivateDirectory(directory);
    const entries = new Map<string, JournalEntry>();
    for (const file of await readdir(directory)) {
      // Half of a write that was cut short: the entry beside it is the last whole one.
      if (!file.endsWith(suffix)) {
        await unlink(join(directory, file));
        continue;
      }
      const entry = await readEntry(join(directory, file), log);
      if (entry !== undefined) entries.set(entry.id, entry);
    }
    return new Journal(directory, entries);
  }

  get(id: string): JournalEntry | undefined {
    return this.#entries.get(id);
  }

  values(): JournalEntry[] {
    return [...this.#entries.values()];
  }

  async write(entry: JournalEntry): Promise<void> {
    this.#entries.set(entry.id, entry);
    await writeFileAtomically(this.#path(entry.id), JSON.stringify(entry));
  }

  async remove(id: string): Promise<void> {
    if (!this.#entries.delete(id)) return;
    await rm(this.#path(id), { force: true });
  }

  #path(id: string): string {
    return join(this.#directory, id + suffix);
  }
}

/** An unreadable entry is as none: recovery then removes what it stood for. */
async function readEntry(path: string, log: Logger): Promise<JournalEntry | undefined> {
  try {
    return entrySchema.parse(await readJson(path));
  } catch (error) {
    log.warn({ path, err: error }, 'dropped an unreadable journal entry');
    await unlink(path);
    return undefined;
  }
}
