// `npm run bench:programs`: what each program costs per packet, and what has changed since the committed baseline.
//
//     npm run bench:programs                       all cases, in half a minute
//     npm run bench:programs -- 'UDP 64 B' vxlan   the cases whose names hold one of these
//     npm run bench:programs -- --rounds 100       for less noise; the default is 40
//     npm run bench:programs -- --json             JSON alone, on standard output
//     npm run bench:programs -- --update           writes the baseline, after a change that was meant
//
// Time never makes it fail; a program that takes the verifier more instructions than its limit does, and a case that
// does not end as it should. bpf/README.md says how it is measured and what the figures are worth.

import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { InvalidInput } from '../../src/model/errors.js';
import { describeError } from '../../src/output/errors.js';
import { VERIFIER_LIMITS } from '../packet/support/limits.js';
import { compare, type Figures, readBaseline, tooBig, writeBaseline } from './baseline.js';
import { Bench, CALIBRATION } from './bench.js';
import { CASES, nameOf } from './cases.js';
import { figuresOf, measureInto, pinToOneCpu, type Rounds } from './measure.js';
import { report } from './report.js';

const BASELINE = join(import.meta.dirname, '..', '..', '..', 'test', 'programs', 'baseline.json');
/** Test runs per case and round. */
const SAMPLES = 200;
/** Times that everything is loaded anew: where code and maps come to lie in memory is worth some per cent. */
const LOADS = 8;

interface Request {
  rounds: number;
  patterns: string[];
  json: boolean;
  update: boolean;
}

function readArguments(): Request {
  const { values, positionals } = parseArgs({
    options: {
      rounds: { type: 'string', default: '40' },
      json: { type: 'boolean', default: false },
      update: { type: 'boolean', default: false },
    },
    allowPositionals: true,
  });
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 10_000)
    throw new InvalidInput(`measure ${values.rounds} rounds: not a number from 1 to 10000`);
  if (values.update && positionals.length > 0)
    throw new InvalidInput('write the baseline: it has all cases', 'leave the names out');
  return { rounds, patterns: positionals, json: values.json, update: values.update };
}

type Chosen = (name: string) => boolean;

async function measureAll(isChosen: Chosen, rounds: number): Promise<Figures> {
  const chosen = CASES.filter((one) => isChosen(nameOf(one)));
  if (chosen.length === 0) throw new InvalidInput('measure programs: no case has that in its name');
  const found: Rounds = new Map();
  const loads = Math.min(LOADS, rounds);
  let bench: Bench | undefined;
  const close = (): void => bench?.close();
  process.once('exit', close);
  let instructions: Figures['instructions'] = {};
  pinToOneCpu();
  for (let load = 0; load < loads; load++) {
    const loaded = await Bench.load();
    bench = loaded;
    try {
      for (const one of chosen) loaded.verify(one);
      const cases = [loaded.calibration(), ...chosen.map((one) => loaded.prepare(one))];
      await measureInto(found, cases, { rounds: Math.ceil(rounds / loads), samples: SAMPLES });
      instructions = loaded.verifiedInstructions();
    } finally {
      loaded.close();
    }
  }
  const { [CALIBRATION]: calibration, ...cases } = Object.fromEntries(figuresOf(found, CALIBRATION));
  return {
    kernel: release(),
    cpu: cpus()[0]?.model ?? 'unknown',
    calibrationNs: calibration?.ns ?? Number.NaN,
    instructions,
    cases,
  };
}

/** The baseline without the cases that were not asked for. */
function only(was: Figures, isChosen: Chosen): Figures {
  const cases = Object.entries(was.cases).filter(([name]) => isChosen(name));
  return { ...was, cases: Object.fromEntries(cases) };
}

async function main(): Promise<number> {
  const { patterns, rounds, json, update } = readArguments();
  const isChosen: Chosen = (name) =>
    patterns.length === 0 || patterns.some((pattern) => name.includes(pattern));
  const baseline = update ? undefined : only(readBaseline(BASELINE), isChosen);
  const now = await measureAll(isChosen, rounds);
  if (update) writeBaseline(BASELINE, now);
  const comparison = compare(now, baseline ?? now);
  const oversized = tooBig(now.instructions, VERIFIER_LIMITS);
  if (json) console.log(JSON.stringify({ ...now, baseline: baseline ?? now, ...comparison, oversized }));
  else process.stdout.write(report(now, baseline ?? now, comparison, VERIFIER_LIMITS));
  for (const line of oversized) console.error(line);
  return oversized.length > 0 ? 1 : 0;
}

/* A namespace and nothing else would stay behind: closed on exit, whatever the reason. */
const giveUp = (): void => process.exit(130);
process.once('SIGINT', giveUp).once('SIGTERM', giveUp);

try {
  process.exitCode = await main();
} catch (error) {
  console.error(describeError(error));
  process.exitCode = 1;
}
