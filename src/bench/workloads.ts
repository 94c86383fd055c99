/* What is measured: three workloads by ordinary tools, each between two members of a lab, each one number. */
import { ExecFailed, Job } from '../lab/exec.js';
import type { Lab } from '../lab/lab.js';
import { waitFor } from '../lab/wait.js';

/** A way from one member to another. */
export interface Route {
  client: string;
  server: string;
  address: string;
}

export interface Workload {
  name: 'tcp' | 'ping-pong' | 'udp';
  title: string;
  unit: string;
  /** Whether a bigger number is the better one. */
  higherIsBetter: boolean;
  measure: (lab: Lab, route: Route, run: Run) => Promise<number>;
}

export interface Run {
  seconds: number;
  /** Another one each time: the last may still be in TIME_WAIT. */
  port: number;
}

const SMALL = 18;

export const WORKLOADS: readonly Workload[] = [
  { name: 'tcp', title: 'TCP, one stream', unit: 'Gbit/s', higherIsBetter: true, measure: tcpStream },
  { name: 'ping-pong', title: 'TCP ping-pong, p50', unit: 'µs', higherIsBetter: false, measure: pingPong },
  { name: 'udp', title: `UDP ${SMALL} B, received`, unit: 'kpps', higherIsBetter: true, measure: smallUdp },
];

async function tcpStream(lab: Lab, route: Route, { seconds, port }: Run): Promise<number> {
  return withServer(lab, route, { protocol: 'tcp', port, line: `iperf3 -s -1 -p ${port}` }, async () => {
    const client = `iperf3 -c ${route.address} -p ${port} -t ${seconds} -O 0.3 -A 0,1 -J`;
    const report = JSON.parse(await ask(lab, route.client, client)) as {
      end: { sum_received: { bits_per_second: number } };
    };
    return report.end.sum_received.bits_per_second / 1e9;
  });
}

/** Both ends on one core: the steadiest figure, because no wake-up of another core is in it. Half a round trip. */
async function pingPong(lab: Lab, route: Route, { seconds, port }: Run): Promise<number> {
  const line = `taskset -c 1 sockperf sr --tcp -p ${port}`;
  return withServer(lab, route, { protocol: 'tcp', port, line }, async () => {
    const client = `taskset -c 1 sockperf pp --tcp -i ${route.address} -p ${port} -t ${seconds} -m ${SMALL}`;
    const report = await ask(lab, route.client, client);
    const median = /percentile 50\.000 =\s+([\d.]+)/.exec(report)?.[1];
    if (!median) throw new Error(`measure ping-pong: sockperf printed no median:\n${report}`);
    return Number(median);
  });
}

/** Counted by the receiver's kernel at the socket: what the sender believes to have sent does not matter. */
async function smallUdp(lab: Lab, route: Route, { seconds, port }: Run): Promise<number> {
  const line = `taskset -c 1 sockperf sr -p ${port}`;
  return withServer(lab, route, { protocol: 'udp', port, line }, async () => {
    const client = `taskset -c 0 sockperf tp -i ${route.address} -p ${port} -t ${seconds} -m ${SMALL} --mps max`;
    const before = await datagramsReceived(lab, route.server);
    await ask(lab, route.client, client);
    return ((await datagramsReceived(lab, route.server)) - before) / seconds / 1000;
  });
}

interface Server {
  protocol: 'tcp' | 'udp';
  port: number;
  line: string;
}

async function withServer<T>(
  lab: Lab,
  route: Route,
  { protocol, port, line }: Server,
  measure: () => Promise<T>,
): Promise<T> {
  const server = new Job(lab.invocation(route.server, line.split(' ')));
  try {
    await waitFor(`"${line}" to listen`, async () => {
      if (!server.isRunning) throw new Error(`start "${line}": ${server.stderr || server.stdout}`);
      return (await ask(lab, route.server, `ss -Hln --${protocol} sport = :${port}`)) !== '';
    });
    return await measure();
  } finally {
    await server.stop('SIGKILL');
  }
}

async function datagramsReceived(lab: Lab, member: string): Promise<number> {
  const snmp = await ask(lab, member, 'cat /proc/net/snmp');
  const [names, values] = snmp.split('\n').filter((line) => line.startsWith('Udp:'));
  const column = names?.split(' ').indexOf('InDatagrams') ?? -1;
  return Number(values?.split(' ')[column]);
}

/** As `lab.sh`, without a place in the transcript, which the reports of the tools would flood. */
async function ask(lab: Lab, member: string, line: string): Promise<string> {
  const outcome = await new Job(lab.invocation(member, line.split(' ')), 60_000).outcome;
  if (outcome.status !== 0) throw new ExecFailed(`${member}# ${line}`, outcome);
  return outcome.stdout;
}
