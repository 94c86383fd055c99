import { availableParallelism } from 'node:os';
import type { Command } from 'commander';
import { wholeNumber } from './options.js';

export interface BenchControlFlags {
  readonly agents: number;
  readonly endpoints: number;
  readonly networks: number;
  readonly rate: number;
  readonly seconds: number;
  readonly processes?: number;
  readonly memoryEndpoints: number;
  readonly json?: string;
}

const help = `
The agents are simulated: registering, following etcd and reconciling are the agent's own code, while interfaces,
programs and maps are not there; a row counts as visible when the map would be written. etcd is a real one, started on
loopback with data of its own, and writes to the disk below the temporary directory ($TMPDIR).
Exit code 1: an endpoint was not seen, a map was not right in the end, or a request failed.

Examples:
  plait bench control
  plait bench control --agents 1000 --networks 200 --rate 20 --seconds 60 --json -`;

/** `plait bench control`, below `plait bench`. */
export function addBenchControl(bench: Command): void {
  bench
    .command('control')
    .summary('measure the control plane with many simulated agents')
    .description(
      'Measure how long an attach takes to reach the maps of all other agents, and what that costs.',
    )
    .option('--agents <count>', 'simulated agents', wholeNumber(1, 1000), 100)
    .option(
      '--endpoints <count>',
      'endpoints that come and go, besides 2 that stay per agent',
      wholeNumber(1, 20_000),
      1000,
    )
    .option('--networks <count>', 'networks; each agent is on 2 of them', wholeNumber(1, 1000), 20)
    .option('--rate <count>', 'attaches per second, and as many detaches', wholeNumber(1, 1000), 20)
    .option('--seconds <count>', 'how long to measure', wholeNumber(1, 600), 30)
    .option(
      '--processes <count>',
      `among which agents are divided (default: ${availableParallelism()})`,
      wholeNumber(1, 64),
    )
    .option(
      '--memory-endpoints <count>',
      'how many one agent learns to measure its memory; 0: not measured',
      wholeNumber(0, 50_000),
      10_000,
    )
    .option('--json <file>', 'write the result as JSON; "-" prints it instead of the table')
    .addHelpText('after', help)
    .action(async (flags: BenchControlFlags, command: Command) => {
      const given = { ...flags, ...takenByOuter(command) };
      await (await import('./actions/bench-control.js')).benchControl(given);
    });
}

/** commander gives an option that `plait bench` has as well to the outer command, even where it stands after `control`. */
function takenByOuter({ parent: bench }: Command): Partial<BenchControlFlags> {
  const common = ['seconds', 'json'].filter((name) => bench?.getOptionValueSource(name) === 'cli');
  return Object.fromEntries(common.map((name) => [name, bench?.getOptionValue(name)]));
}
