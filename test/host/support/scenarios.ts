// A suite over one lab: built before the first scenario, gone after the last, whatever happens in between. A scenario
// that fails prints what was typed, what the datapath dropped and what the links counted.

import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import { Job } from '../../../src/lab/exec.js';
import { Lab, type LabOptions } from '../../../src/lab/lab.js';

export interface Scenarios {
  scenario: (name: string, body: (lab: Lab) => Promise<void>) => void;
  run: () => void;
}

const TRANSCRIPT_ENTRIES = 60;
const LOG_LINES = 25;

/** `setUp` runs once, before the first scenario. */
export function scenarios(
  options: LabOptions,
  setUp: (lab: Lab) => Promise<void> = async () => {},
): Scenarios {
  const name = `t${process.pid}`;
  const test = suite(name);
  let lab: Lab | undefined;
  let broken: unknown;

  // uvu swallows what a hook throws: it is kept for the scenarios, each of which fails by it.
  test.before(async () => {
    process.once('SIGTERM', () => void Lab.remove(name).finally(() => process.exit(143)));
    process.once('uncaughtException', (error) => {
      console.error(error);
      void Lab.remove(name).finally(() => process.exit(1));
    });
    try {
      lab = await Lab.up({ ...options, name });
      await setUp(lab);
    } catch (error) {
      if (lab) await report(lab);
      broken = error;
    }
  });
  test.after(() => Lab.remove(name));

  return {
    scenario: (title, body) =>
      test(title, async () => {
        if (broken || !lab)
          throw new Error(`set up the lab: ${broken instanceof Error ? broken.stack : broken}`);
        try {
          await body(lab);
        } catch (error) {
          await report(lab, title);
          console.log(`──── ${title}: ${error instanceof Error ? error.message : error}`); // uvu keeps it to the end
          throw error;
        }
      }),
    run: () => test.run(),
  };
}

function logOf(lab: Lab, name: string): string {
  try {
    return readFileSync(lab.log(name), 'utf8');
  } catch {
    return 'no log';
  }
}

async function report(lab: Lab, title = 'set-up'): Promise<void> {
  const lines = [`\n──── ${title}: transcript`, ...lab.transcript.slice(-TRANSCRIPT_ENTRIES)];
  for (const { name } of lab.nodes) {
    lines.push(`──── ${name}: drops, links, log`);
    for (const command of ['plait drops', 'ip -s link']) {
      const { stdout, stderr } = await new Job(lab.invocation(name, command.split(' ')), 5000).outcome;
      lines.push(stdout + stderr);
    }
    lines.push(logOf(lab, name).split('\n').slice(-LOG_LINES).join('\n'));
  }
  console.log(lines.join('\n'));
}
