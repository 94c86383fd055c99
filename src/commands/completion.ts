import { Argument, type Command } from 'commander';

const help = `
Examples:
  source <(plait completion bash)
  plait completion zsh > "\${fpath[1]}/_plait"
  plait completion fish > ~/.config/fish/completions/plait.fish`;

export function addCompletion(program: Command): void {
  program
    .command('completion')
    .summary('print the completion script of a shell')
    .description('Print the completion script of a shell.')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .addHelpText('after', help)
    .action(async (shell: 'bash' | 'zsh' | 'fish') =>
      (await import('./actions/completion.js')).printScript(shell),
    );
  // What the scripts call: the words of the command line so far in, candidates for the last one out.
  program
    .command('__complete', { hidden: true })
    .argument('[words...]')
    .allowUnknownOption()
    .helpOption(false)
    .action(async (words: string[], _flags: object, command: Command) =>
      (await import('./actions/completion.js')).printCandidates(words, command),
    );
}
