/*
 * Which network of the cluster each of Docker's is. Docker tells once, when the network is made, and never again, so it is
 * kept: `docker-networks.json` in the state directory.
 */
import { join } from 'node:path';
import type { Logger } from 'pino';
import { z } from 'zod';
import { readJson, writeFileAtomically } from '../state/files.js';

const schema = z.looseObject({
  /** Id of the cluster's network. */
  network: z.string(),
  /** Made for Docker alone, under a name that nobody chose: it goes with Docker's. */
  isPrivate: z.boolean(),
});
export type DockerNetwork = z.infer<typeof schema>;

export class DockerNetworks {
  readonly #file: string;
  readonly #byId: Map<string, DockerNetwork>;
  #writing: Promise<void> = Promise.resolve();

  private constructor(file: string, byId: Map<string, DockerNetwork>) {
    this.#file = file;
    this.#byId = byId;
  }

  static async open(state: string, log: Logger): Promise<DockerNetworks> {
    const file = join(state, 'docker-networks.json');
    const kept = await readJson(file).catch(() => null);
    if (kept === undefined) return new DockerNetworks(file, new Map());
    const parsed = z.record(z.string(), schema).safeParse(kept);
    if (!parsed.success) log.error({ file }, 'cannot read which network each of Docker’s is: make them anew');
    return new DockerNetworks(file, new Map(Object.entries(parsed.data ?? {})));
  }

  get(id: string): DockerNetwork | undefined {
    return this.#byId.get(id);
  }

  set(id: string, network: DockerNetwork): Promise<void> {
    this.#byId.set(id, network);
    return this.#write();
  }

  delete(id: string): Promise<void> {
    this.#byId.delete(id);
    return this.#write();
  }

  #write(): Promise<void> {
    const write = async (): Promise<void> => {
      const text = `${JSON.stringify(Object.fromEntries(this.#byId), undefined, 2)}\n`;
      await writeFileAtomically(this.#file, text, { durable: true });
    };
    this.#writing = this.#writing.then(write, write);
    return this.#writing;
  }
}
