/*
 * Shell completion. The scripts know nothing: they ask this program for candidates, so that they never go stale.
 * Candidates come from the declarations of the commands, and from the agent for what has a name in the cluster.
 */
import type { Argument, Command, Option } from 'commander';
import { print } from '../../output/print.js';
import { clientOf } from './common.js';

type Shell = 'bash' | 'zsh' | 'fish';

const scripts: Record<Shell, string> = {
  bash: `_plait() {
  local IFS=$'\\n'
  local word="\${COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=($(compgen -W "$(plait __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "$word"))
}
complete -o default -F _plait plait
`,
  zsh: `#compdef plait
_plait() {
  local -a candidates
  candidates=("\${(@f)$(plait __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "$candidates[1]" ]]; then compadd -a candidates; else _files; fi
}
if [[ "$funcstack[1]" = _plait ]]; then _plait "$@"; else compdef _plait plait; fi
`,
  fish: `function __plait_candidates
  set -l candidates (plait __complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)
  if set -q candidates[1]
    printf '%s\\n' $candidates
  else
    __fish_complete_path (commandline -ct)
  end
end
complete -c plait -f -a '(__plait_candidates)'
`,
};

/** Arguments and options whose values are names that the agent knows → where it lists them. */
const collections: Record<string, string> = {
  network: '/v1/networks',
  node: '/v1/nodes',
  endpoint: '/v1/endpoints',
  map: '/v1/maps',
};

export function printScript(shell: Shell): void {
  print(scripts[shell]);
}

/** @param words the command line after `plait`, up to and with the word that is being typed */
export async function printCandidates(words: readonly string[], command: Command): Promise<void> {
  const typed = words.at(-1) ?? '';
  const candidates = await findCandidates(words, command);
  const fitting = candidates.filter((candidate) => candidate.startsWith(typed));
  print(fitting.map((candidate) => `${candidate}\n`).join(''));
}

async function findCandidates(words: readonly string[], command: Command): Promise<string[]> {
  const program = command.parent;
  if (!program) return [];
  const { at, open, operands } = walk(program, words.slice(0, -1));
  const names = (collection: string) => namesOf(collection, command);
  if (open) return open.argChoices ?? valuesOf(open.attributeName(), names);
  if (words.at(-1)?.startsWith('-')) return optionsOf(at);
  const children = at.createHelp().visibleCommands(at);
  if (children.length > 0) return children.map((child) => child.name());
  const argument = argumentAt(at, operands);
  if (!argument) return [];
  return argument.argChoices ?? valuesOf(argument.name(), names);
}

interface Place {
  readonly at: Command;
  /** The option whose value is being typed. */
  readonly open: Option | undefined;
  /** Arguments of the command given so far. */
  readonly operands: number;
}

function walk(program: Command, words: readonly string[]): Place {
  let at = program;
  let open: Option | undefined;
  let operands = 0;
  for (const word of words) {
    if (open) {
      open = undefined;
      continue;
    }
    if (word.startsWith('-')) {
      const option = [...at.options, ...program.options].find(
        ({ long, short }) => word === long || word === short,
      );
      open = option?.required ? option : undefined;
      continue;
    }
    const child = at.commands.find((known) => known.name() === word || known.aliases().includes(word));
    if (child) at = child;
    else operands++;
  }
  return { at, open, operands };
}

function optionsOf(command: Command): string[] {
  const help = command.createHelp();
  help.showGlobalOptions = true;
  const options = [...help.visibleOptions(command), ...help.visibleGlobalOptions(command)];
  return options.flatMap(({ long }) => long ?? []);
}

function argumentAt(command: Command, index: number): Argument | undefined {
  const known = command.registeredArguments;
  const last = known.at(-1);
  return known[index] ?? (last?.variadic ? last : undefined);
}

async function valuesOf(name: string, names: (collection: string) => Promise<string[]>): Promise<string[]> {
  const collection = collections[name];
  return collection === undefined ? [] : names(collection);
}

/** Without an agent there is nothing to suggest, and nothing to complain about in the middle of a command line. */
async function namesOf(collection: string, command: Command): Promise<string[]> {
  try {
    const records = await clientOf(command).get<{ name: string }[]>(collection);
    return records.map(({ name }) => name);
  } catch {
    return [];
  }
}
