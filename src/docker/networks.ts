/*
 * Which network of the cluster each of Docker's is. Docker tells once, when the network is made, and never again, so it is
 * kept: `docker-networks.json` in the state directory.
 */
import { join } from 'node:path';
import type { Logger } from 'pino';
import { z } from 'zod';
import { readJson, writeFileAtomically } from '../state/files.js';

const networkSchema = z.looseObject({
  /** Id of the cluster's network. */
  network: z.string(),
  /** Made for Docker alone, under a name that nobody chose: it goes with Docker's. */
  isPrivate: z.boolean(),
});
export type DockerNetwork = z.infer<typeof networkSchema>;

const schema = z.looseObject({
  /** By Docker's id. */
  networks: z.record(z.string(), networkSchema),
  /** Ids of the cluster's that somebody removed from Docker here, where they stay away. */
  removed: z.array(z.string()),
});

/** Of a network that was made for Docker, and named by nobody. @param id Docker's */
export function privateName(id: string): string {
  return `docker-${id.slice(0, 12)}`;
}

export function isPrivateName(name: string): boolean {
  return /^docker-[0-9a-z]{12}$/.test(name);
}

export class DockerNetworks {
  readonly #file: string;
  readonly #byId: Map<string, DockerNetwork>;
  readonly #removed: Set<string>;
  #writing: Promise<void> = Promise.resolve();

  private constructor(file: string, { networks, removed }: z.infer<typeof schema>) {
    this.#file = file;
    this.#byId = new Map(Object.entries(networks));
    this.#removed = new Set(removed);
  }

  static async open(state: string, log: Logger): Promise<DockerNetworks> {
    const file = join(state, 'docker-networks.json');
    const kept = await readJson(file).catch(() => null);
    const none = { networks: {}, removed: [] };
    if (kept === undefined) return new DockerNetworks(file, none);
    const parsed = schema.safeParse(kept);
    if (!parsed.success)
      log.error({ file }, 'cannot read which network each of Docker’s is: Docker is asked');
    return new DockerNetworks(file, parsed.data ?? none);
  }

  get(id: string): DockerNetwork | undefined {
    return this.#byId.get(id);
  }

  /** Docker's. */
  ids(): string[] {
    return [...this.#byId.keys()];
  }

  values(): DockerNetwork[] {
    return [...this.#byId.values()];
  }

  isRemoved(network: string): boolean {
    return this.#removed.has(network);
  }

  set(id: string, network: DockerNetwork): Promise<void> {
    this.#byId.set(id, network);
    this.#removed.delete(network.network);
    return this.#write();
  }

  delete(id: string): Promise<void> {
    this.#byId.delete(id);
    return this.#write();
  }

  /** By hand, here: the cluster still has it. */
  remove(id: string): Promise<void> {
    const network = this.#byId.get(id)?.network;
    if (network !== undefined) this.#removed.add(network);
    return this.delete(id);
  }

  #write(): Promise<void> {
    const write = async (): Promise<void> => {
      const kept = { networks: Object.fromEntries(this.#byId), removed: [...this.#removed] };
      await writeFileAtomically(this.#file, `${JSON.stringify(kept, undefined, 2)}\n`, { durable: true });
    };
    this.#writing = this.#writing.then(write, write);
    return this.#writing;
  }
}
