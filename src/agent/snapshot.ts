/*
 * The last known cluster state on disk, so that an agent that starts while etcd is away still answers names and
 * the API, and knows what the maps should hold. Only a complete view is ever saved.
 */
import type { Logger } from 'pino';
import { z } from 'zod';
import { endpointSchema, networkSchema, nodeSchema } from '../model/records.js';
import type { ClusterView } from '../model/view.js';
import { readJson, writeFileAtomically } from '../state/files.js';

const snapshotSchema = z.object({
  revision: z.string(),
  nodes: z.array(nodeSchema),
  networks: z.array(networkSchema),
  endpoints: z.array(endpointSchema),
});
export type Snapshot = z.infer<typeof snapshotSchema>;

export async function loadSnapshot(path: string, log: Logger): Promise<Snapshot | undefined> {
  try {
    const content = await readJson(path);
    return content === undefined ? undefined : snapshotSchema.parse(content);
  } catch (error) {
    log.warn({ path, err: error }, 'ignored an unreadable snapshot');
    return undefined;
  }
}

interface Reports {
  readonly log: Logger;
  /** For a person: why the state is not saved. */
  readonly notices: Map<string, string>;
}

const notice = 'snapshot';

/**
 * Writes at most once per interval: with thousands of endpoints the file is megabytes, and losing the last seconds
 * of it costs nothing once etcd answers.
 */
export class SnapshotWriter {
  readonly #path: string;
  readonly #view: ClusterView;
  readonly #intervalMs: number;
  readonly #reports: Reports;
  #timer: NodeJS.Timeout | undefined;
  #revision = '0';
  #writing: Promise<void> = Promise.resolve();

  constructor(path: string, view: ClusterView, reports: Reports, intervalMs = 2000) {
    this.#path = path;
    this.#view = view;
    this.#reports = reports;
    this.#intervalMs = intervalMs;
  }

  schedule(revision: string): void {
    this.#revision = revision;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#write();
    }, this.#intervalMs);
  }

  /** Writes what is pending and stops. */
  async close(): Promise<void> {
    if (this.#timer !== undefined) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#write();
    }
    await this.#writing;
  }

  #write(): void {
    const snapshot: Snapshot = {
      revision: this.#revision,
      nodes: [...this.#view.nodes.values()],
      networks: [...this.#view.networks.values()],
      endpoints: [...this.#view.endpoints.values()],
    };
    const content = JSON.stringify(snapshot);
    this.#writing = this.#writing.then(() => this.#save(content));
  }

  async #save(content: string): Promise<void> {
    const { log, notices } = this.#reports;
    try {
      await writeFileAtomically(this.#path, content);
      notices.delete(notice);
    } catch (error) {
      const isNews = !notices.has(notice);
      const reason = error instanceof Error ? error.message : String(error);
      notices.set(notice, `the last known state is not saved for a start without etcd: ${reason}`);
      if (isNews) log.warn({ path: this.#path, err: error }, 'could not save the snapshot');
    }
  }
}
