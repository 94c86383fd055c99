/* What the commands have in common when they run. */
import type { Command } from 'commander';
import { AgentClient, AgentUnreachable } from '../../client.js';
import { pathsFor } from '../../model/paths.js';
import { describeError, exitCodes, UsageError } from '../../output/errors.js';
import { print, printJson, say } from '../../output/print.js';
import { compileTemplate } from '../../output/template.js';
import type { InspectFlags } from '../node.js';

/** --root, wherever it stands on the command line, or PLAIT_ROOT. */
export function rootOf(command: Command): string | undefined {
  const { root } = command.optsWithGlobals<{ root?: string }>();
  return root ?? process.env.PLAIT_ROOT;
}

export function clientOf(command: Command): AgentClient {
  return new AgentClient(pathsFor(rootOf(command)).socket);
}

/** Does the same to each, reports what fails as it fails, and fails in the end if any did. */
export async function forEach(refs: readonly string[], act: (ref: string) => Promise<void>): Promise<void> {
  if (refs.includes(''))
    throw new UsageError('argument "": it is empty', 'give a name, an id or a prefix of an id');
  for (const ref of refs) {
    try {
      await act(ref);
    } catch (error) {
      // Without an agent the next one fails the same way, and a wrong format is wrong for all.
      if (error instanceof AgentUnreachable || error instanceof UsageError) throw error;
      say(describeError(error));
      process.exitCode = exitCodes.failed;
    }
  }
}

/** Prints what was found as a JSON array, or by a template, even if some were not found. */
export async function inspectAll(
  command: Command,
  collection: string,
  refs: readonly string[],
  { format }: InspectFlags,
): Promise<void> {
  const client = clientOf(command);
  const template = format === 'json' ? undefined : compileTemplate<unknown>(format);
  const found: unknown[] = [];
  await forEach(refs, async (ref) => {
    found.push(await client.get(`/v1/${collection}/${encodeURIComponent(ref)}`));
  });
  if (template) for (const record of found) print(template(record));
  else printJson(found);
}
