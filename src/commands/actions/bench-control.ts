import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { reportText } from '../../bench/control/report.js';
import type { ControlResult } from '../../bench/control/result.js';
import { runControl } from '../../bench/control/run.js';
import { PlaitError } from '../../model/errors.js';
import { exitCodes } from '../../output/errors.js';
import { print, printJson, say } from '../../output/print.js';
import type { BenchControlFlags } from '../bench-control.js';

/** As `timeout` sends its signal to the process and to its group: that is one signal. */
const ONE_SIGNAL_MS = 1000;

/** The first signal ends the run and cleans up; a later one ends this process there and then. */
export async function benchControl({ json, processes, ...flags }: BenchControlFlags): Promise<void> {
  const ending = new AbortController();
  let interruptedAt: number | undefined;
  const interrupt = (): void => {
    interruptedAt ??= performance.now();
    ending.abort(new PlaitError('INTERRUPTED', 'run the benchmark: interrupted'));
    if (performance.now() - interruptedAt > ONE_SIGNAL_MS) process.exit(exitCodes.failed);
  };
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  const options = { ...flags, processes: processes ?? Math.min(availableParallelism(), flags.agents) };
  try {
    const result = await runControl({ options, progress: say, signal: ending.signal });
    await tell(result, json);
    const isWhole = result.missing === 0 && result.wrong === 0 && result.failures.length === 0;
    if (!isWhole) process.exitCode = exitCodes.failed;
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}

async function tell(result: ControlResult, json: string | undefined): Promise<void> {
  if (json === '-') printJson(result);
  else print(reportText(result));
  if (json === undefined || json === '-') return;
  await writeFile(json, `${JSON.stringify(result, null, 2)}\n`).catch((error: Error) => {
    throw new PlaitError('NOT_WRITTEN', `write the result to ${json}: ${error.message}`);
  });
}
