import type { Command } from 'commander';
import { examine } from '../../doctor/doctor.js';
import type { Finding } from '../../doctor/finding.js';
import { pathsFor } from '../../model/paths.js';
import { paint } from '../../output/colour.js';
import { exitCodes } from '../../output/errors.js';
import { print, printJson } from '../../output/print.js';
import type { DoctorFlags } from '../doctor.js';
import { clientOf, rootOf } from './common.js';

const colours = { ok: 'green', warning: 'yellow', fault: 'red' } as const;

export async function doctor({ format }: DoctorFlags, command: Command): Promise<void> {
  const findings = await examine(pathsFor(rootOf(command)), clientOf(command));
  if (format === 'json') printJson(findings);
  else for (const finding of findings) print(textOf(finding));
  const has = (state: Finding['state']): boolean => findings.some((finding) => finding.state === state);
  if (has('fault')) process.exitCode = exitCodes.failed;
  else if (has('warning')) process.exitCode = exitCodes.warnings;
}

function textOf({ what, state, text, mend }: Finding): string {
  const line = `${paint(state.padEnd(7), colours[state])}  ${what}: ${text}`;
  return mend === undefined ? line : `${line}\n         → ${mend}`;
}
