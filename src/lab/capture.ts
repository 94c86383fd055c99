/* What the wire carries: tcpdump writes it down, tshark says what it is. Neither knows anything of us. */
import path from 'node:path';
import { run } from '../net/run.js';
import { patience } from '../patience.js';
import type { Job } from './exec.js';
import type { Lab } from './lab.js';
import { stateDir } from './topology.js';
import { waitFor } from './wait.js';

export interface CaptureOptions {
  member: string;
  /** eth0 when left out. */
  device?: string;
  /** In tcpdump's language. */
  filter?: string;
}

/** One packet: for each field all its values, outermost first. A field that it does not have is an empty list. */
export type Packet<Field extends string> = Record<Field, string[]>;

export class Capture {
  readonly #job: Job;
  readonly #file: string;

  private constructor(job: Job, file: string) {
    this.#job = job;
    this.#file = file;
  }

  /** Returns when packets are being captured. */
  static async start(lab: Lab, { member, device = 'eth0', filter = '' }: CaptureOptions): Promise<Capture> {
    const file = path.join(stateDir(lab.spec.name), `${member}-${device}-${lab.transcript.length}.pcap`);
    // tcpdump gives its privileges up before it opens the file; -U writes each packet at once.
    const job = lab.start(
      member,
      `tcpdump -Z root -U --immediate-mode -n -i ${device} -B 8192 -w ${file} ${filter}`.trim(),
    );
    await waitFor('tcpdump to listen', () => {
      if (!job.isRunning) throw new Error(`start tcpdump on ${member}: ${job.stderr}`);
      return job.stderr.includes('listening on');
    });
    return new Capture(job, file);
  }

  /** Ends the capture and decodes its packets. `display` is a filter in Wireshark's language. */
  async stop<Field extends string>(fields: readonly Field[], display = ''): Promise<Packet<Field>[]> {
    await this.#end();
    const output = await run(
      'tshark',
      [
        ...['-n', '-r', this.#file, '-T', 'fields', '-E', 'separator=/t', '-E', 'occurrence=a'],
        ...fields.flatMap((field) => ['-e', field]),
        ...(display ? ['-Y', display] : []),
      ],
      { doing: 'decode packets', timeout: patience(60_000) },
    );
    return output
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => packetOf(fields, line));
  }

  /** tcpdump forgets what it has not read when it is told to end: it is told when it has nothing to read. */
  async #end(): Promise<void> {
    if (this.#job.isRunning) await waitFor('tcpdump to have read all packets', () => this.#job.isIdle);
    await this.#job.stop();
  }

  /** The packets as tshark prints them in full, as an excerpt for a person. */
  async describe(display: string, layers: string): Promise<string> {
    await this.#end();
    const args = ['-n', '-r', this.#file, '-c', '400', '-Y', display, '-O', layers];
    return run('tshark', args, { doing: 'decode packets', timeout: patience(60_000) });
  }
}

function packetOf<Field extends string>(fields: readonly Field[], line: string): Packet<Field> {
  const columns = line.split('\t');
  const entries = fields.map((field, index) => [field, (columns[index] ?? '').split(',').filter(Boolean)]);
  return Object.fromEntries(entries) as Packet<Field>;
}
