#!/usr/bin/env node
/*
 * The `plait` command. What it costs to start is paid at every command, so this and the declarations in commands/
 * import commander and nothing else; what a command does is imported when it runs.
 */
import { CommanderError } from 'commander';
import { buildProgram } from './commands/program.js';
import { describeError, exitCodeOf, exitCodes } from './output/errors.js';
import { endQuietlyOnClosedPipe, say } from './output/print.js';

/** Exit codes of commander that mean that somebody asked for help or the version. */
const answered = new Set(['commander.helpDisplayed', 'commander.version']);

endQuietlyOnClosedPipe();
try {
  await buildProgram().parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return answered.has(error.code) ? exitCodes.ok : exitCodes.usage;
  say(describeError(error));
  return exitCodeOf(error);
}
