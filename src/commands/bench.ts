import { type Command, Option } from 'commander';
import { addBenchControl } from './bench-control.js';
import { collectList, wholeNumber } from './options.js';

export interface BenchFlags {
  readonly repetitions: number;
  readonly seconds: number;
  readonly workload?: readonly string[];
  readonly variant?: readonly string[];
  readonly offloads: 'on' | 'off' | 'both';
  readonly docker?: boolean;
  readonly quick?: boolean;
  readonly json?: string;
  readonly html?: string;
  readonly picture?: string;
  readonly from?: string;
  readonly server?: boolean;
  readonly client?: readonly string[];
}

const help = `
Without --server and --client both hosts are network namespaces of this machine, on one veth underlay; all of it goes
again. Of two machines, one runs the servers and the other measures, over whatever way an address takes:

  n2# plait bench --server
  n1# plait bench --client bare=192.0.2.2 --client plait=10.78.0.12@c1 --json result.json

"@c1" starts the clients in that network namespace; "nsenter --net=/run/netns/c2 plait bench --server" does so for the
servers. They listen at TCP and UDP ports 5200 to 5241 on all addresses, let everybody in, and end with the command.

Examples:
  plait bench --quick
  plait bench --workload tcp-rr,udp-64 --variant kernel,plait --repetitions 9 --json -`;

export function addBench(program: Command): void {
  const bench = program
    .command('bench')
    .summary('measure host to host, the kernel’s overlay and Plait side by side')
    .description(
      'Compare host to host, the kernel’s vxlan and bridge, and Plait, by standard tools, in one run.',
    )
    .option('--repetitions <count>', 'samples of each figure', wholeNumber(1, 100), 5)
    .option('--seconds <count>', 'how long to measure each', wholeNumber(1, 600), 3)
    .option('--workload <id>', 'only this one; repeatable, or with commas', collectList)
    .option('--variant <id>', 'only bare, kernel, docker or plait; repeatable, or with commas', collectList)
    .option('--docker', "also Docker's own overlay, with daemons of its own; needs docker.io")
    .addOption(
      new Option('--offloads <setting>', 'TSO, GSO and GRO of the underlay')
        .choices(['on', 'off', 'both'])
        .default('both'),
    )
    .option('--quick', 'offloads on, 2 repetitions of 1 second: to see that it works')
    .option('--json <file>', 'write the result as JSON; "-" prints it instead of the table')
    .option('--html <file>', 'write a page of plots')
    .option('--picture <file>', 'write the picture of the ratios, SVG')
    .addOption(
      new Option('--from <file>', 'measure nothing: show what --json wrote').conflicts(['client', 'server']),
    )
    .addOption(new Option('--server', 'run the servers, for --client elsewhere').conflicts('client'))
    .option('--client <address>', '[label=]address[@netns] of servers; repeatable', collectList)
    .addHelpText('after', help)
    .action(async (flags: BenchFlags) => (await import('./actions/bench.js')).bench(flags));
  addBenchControl(bench);
}
