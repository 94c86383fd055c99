/*
 * What is measured, each by an ordinary tool, from a client to the servers of server-programs.ts.
 *
 * Processors (in a lab, where both hosts share them): the servers run on one, the clients of streams, datagrams and
 * applications on another, as two hosts would. One request and one response at a time run on a single processor: with two,
 * waking the idle one takes longer than the packet's way, and varies more. Between real hosts nothing is pinned.
 */

import {
  FIRST_FLOW_PORT,
  FLOWS,
  IPERF3_PORT,
  NGINX_PORT,
  REDIS_PORT,
  SECOND_IPERF3_PORT,
  SOCKPERF_PORT,
} from './ports.js';
import { type Place, runTool } from './programs.js';
import type { WorkloadInfo } from './result.js';
import type { ServerName } from './server-programs.js';
import { median } from './statistics.js';
import {
  type Latency,
  type PingPong,
  parseIperf3,
  parsePingPong,
  parseRedis,
  parseThroughput,
  parseWrk,
} from './tool-output.js';
import type { Tool } from './tools.js';

/** A way from here to servers. */
export interface Target {
  /** Of the servers; IPv4. */
  address: string;
  netns?: string | undefined;
  /** Network namespace of a client on a third host, where there is one. */
  secondNetns?: string | undefined;
  /** On a machine that both share: the processor that the servers have for themselves, and the clients'. */
  processors?: { servers: number; clients: number } | undefined;
}

export interface Run {
  target: Target;
  /** A whole number: the tools know no other. */
  seconds: number;
  /** Datagrams that sockets of the servers' namespace got so far. */
  datagramsIn: () => Promise<number>;
}

export interface Sample {
  value: number;
  /** Units that the whole run moved, in what `cpuPer` names: what CPU time is divided by. */
  work: number;
  latency?: Latency;
  /** Of concurrent flows: how many came (almost) to a stop. */
  stalledFlows?: number;
}

export interface Workload {
  info: WorkloadInfo;
  server: ServerName;
  client: Tool;
  /** Two clients on hosts of their own: only in a lab. */
  threeHosts?: boolean;
  measure: (run: Run) => Promise<Sample>;
}

/** sockperf's smallest message. */
const SMALL = 14;
const HTTP_CONNECTIONS = 32;
/** redis-benchmark's own default. */
const REDIS_CONNECTIONS = 50;
/** A flow that did less than this share of the median flow's exchanges has stalled. */
const STALLED = 0.1;

const requests = { group: 'request', unit: '1/s', higherIsBetter: true, cpuPer: 'request' } as const;
const packets = { group: 'packets', unit: 'kpps', higherIsBetter: true, cpuPer: '1000 packets' } as const;
const stream = { group: 'stream', unit: 'Gbit/s', higherIsBetter: true, cpuPer: 'Gbit' } as const;
const application = { ...requests, group: 'application' } as const;

export const WORKLOADS: readonly Workload[] = [
  tcpStream('tcp-stream', 'TCP, one stream', 1),
  tcpStream('tcp-stream-8', 'TCP, 8 streams', 8),
  {
    info: { id: 'tcp-incast', title: 'TCP, two hosts to one', ...stream, tool: 'iperf3' },
    server: 'iperf3',
    client: 'iperf3',
    threeHosts: true,
    measure: tcpIncast,
  },
  {
    info: { id: 'tcp-rr', title: 'TCP request/response', ...requests, tool: 'sockperf' },
    server: 'sockperf',
    client: 'sockperf',
    measure: (run) => pingPong(run, 'tcp'),
  },
  {
    info: { id: 'tcp-rr-32', title: `TCP request/response ×${FLOWS}`, ...requests, tool: 'sockperf' },
    server: 'sockperf-flows',
    client: 'sockperf',
    measure: (run) => concurrentPingPong(run, 'tcp'),
  },
  {
    info: { id: 'udp-rr', title: 'UDP request/response', ...requests, tool: 'sockperf' },
    server: 'sockperf',
    client: 'sockperf',
    measure: (run) => pingPong(run, 'udp'),
  },
  {
    info: { id: 'udp-rr-32', title: `UDP request/response ×${FLOWS}`, ...requests, tool: 'sockperf' },
    server: 'sockperf',
    client: 'sockperf',
    measure: (run) => concurrentPingPong(run, 'udp'),
  },
  {
    info: { id: 'tcp-crr', title: 'TCP connect/request/close', ...requests, tool: 'wrk' },
    server: 'nginx',
    client: 'wrk',
    measure: (run) => http(run, { connections: 1, path: '/1', close: true, alone: true }),
  },
  datagrams(64),
  datagrams(512),
  datagrams(1400),
  {
    info: { id: 'http', title: `nginx, keep-alive ×${HTTP_CONNECTIONS}`, ...application, tool: 'wrk' },
    server: 'nginx',
    client: 'wrk',
    measure: (run) => http(run, { connections: HTTP_CONNECTIONS, path: '/1k', close: false }),
  },
  {
    info: { id: 'http-close', title: `nginx, close ×${HTTP_CONNECTIONS}`, ...application, tool: 'wrk' },
    server: 'nginx',
    client: 'wrk',
    measure: (run) => http(run, { connections: HTTP_CONNECTIONS, path: '/1k', close: true }),
  },
  {
    info: { id: 'redis', title: `redis GET ×${REDIS_CONNECTIONS}`, ...application, tool: 'redis-benchmark' },
    server: 'redis',
    client: 'redis-benchmark',
    measure: redisGet,
  },
];

/** Beside the servers, on a processor of its own, or where the scheduler wants it. */
function placeOf({ netns, processors }: Target, where: 'beside' | 'apart' | 'anywhere'): Place {
  const cpu = { beside: processors?.servers, apart: processors?.clients, anywhere: undefined }[where];
  return { netns, cpu };
}

function tcpStream(id: string, title: string, streams: number): Workload {
  return {
    info: { id, title, ...stream, tool: 'iperf3' },
    server: 'iperf3',
    client: 'iperf3',
    measure: ({ target, seconds }) => iperf3(target, { port: IPERF3_PORT, streams, seconds }),
  };
}

/** Both at once, which iperf3's reports of their own whole runs stand for. */
async function tcpIncast({ target, seconds }: Run): Promise<Sample> {
  const second = { ...target, netns: target.secondNetns };
  const [one, other] = await Promise.all([
    iperf3(target, { port: IPERF3_PORT, streams: 1, seconds }),
    iperf3(second, { port: SECOND_IPERF3_PORT, streams: 1, seconds }),
  ]);
  return { value: one.value + other.value, work: one.work + other.work };
}

interface Iperf3Options {
  port: number;
  streams: number;
  seconds: number;
}

async function iperf3(target: Target, { port, streams, seconds }: Iperf3Options): Promise<Sample> {
  const line = `iperf3 -c ${target.address} -p ${port} -t ${seconds} -P ${streams} -J`;
  const report = parseIperf3(await runTool(placeOf(target, 'apart'), line.split(' '), seconds));
  return { value: report.bitsPerSecond / 1e9, work: (8 * report.bytes) / 1e9 };
}

function pingPongLine(target: Target, protocol: 'tcp' | 'udp', port: number, seconds: number): string[] {
  const line = `sockperf pp -i ${target.address} -p ${port} -t ${seconds} -m ${SMALL} --full-rtt`.split(' ');
  return protocol === 'tcp' ? [...line, '--tcp'] : line;
}

async function pingPong({ target, seconds }: Run, protocol: 'tcp' | 'udp'): Promise<Sample> {
  const line = pingPongLine(target, protocol, SOCKPERF_PORT, seconds);
  const flow = parsePingPong(await runTool(placeOf(target, 'beside'), line, seconds));
  return summariseFlows([flow]);
}

/** A process per flow, as netperf's users do it, since sockperf's client waits for one answer at a time. */
async function concurrentPingPong({ target, seconds }: Run, protocol: 'tcp' | 'udp'): Promise<Sample> {
  const place = placeOf(target, 'anywhere');
  const flows = await Promise.all(
    Array.from({ length: FLOWS }, async (_, flow) => {
      const port = protocol === 'tcp' ? FIRST_FLOW_PORT + flow : SOCKPERF_PORT;
      return parsePingPong(await runTool(place, pingPongLine(target, protocol, port, seconds), seconds));
    }),
  );
  return summariseFlows(flows);
}

export function summariseFlows(flows: readonly PingPong[]): Sample {
  const latencies = flows.flatMap(({ latency }) => (latency ? [latency] : []));
  if (latencies.length === 0) throw new Error('read sockperf’s output: no request was answered');
  const usual = median(flows.map(({ rate }) => rate));
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
  return {
    value: sum(flows.map(({ rate }) => rate)),
    work: sum(flows.map(({ exchanges }) => exchanges)),
    latency: { p50: median(latencies.map(({ p50 }) => p50)), p99: median(latencies.map(({ p99 }) => p99)) },
    ...(flows.length > 1 && { stalledFlows: flows.filter(({ rate }) => rate <= STALLED * usual).length }),
  };
}

/** Counted by the receiver's kernel at the socket: what the sender believes to have sent does not matter. */
function datagrams(size: number): Workload {
  return {
    info: { id: `udp-${size}`, title: `UDP ${size} B, received`, ...packets, tool: 'sockperf' },
    server: 'sockperf',
    client: 'sockperf',
    measure: async ({ target, seconds, datagramsIn }) => {
      const line = `sockperf tp -i ${target.address} -p ${SOCKPERF_PORT} -t ${seconds} -m ${size} --mps max`;
      const before = await datagramsIn();
      const sent = parseThroughput(await runTool(placeOf(target, 'apart'), line.split(' '), seconds));
      const received = (await datagramsIn()) - before;
      return { value: received / sent.seconds / 1000, work: received / 1000 };
    },
  };
}

interface HttpOptions {
  connections: number;
  path: string;
  /** A connection for each request. */
  close: boolean;
  /** One request at a time: client and server share a processor. */
  alone?: boolean;
}

async function http({ target, seconds }: Run, options: HttpOptions): Promise<Sample> {
  const { connections, path, close, alone } = options;
  const line = [
    ...`wrk -t 1 -c ${connections} -d ${seconds} --latency`.split(' '),
    ...(close ? ['-H', 'Connection: close'] : []),
    `http://${target.address}:${NGINX_PORT}${path}`,
  ];
  const output = await runTool(placeOf(target, alone ? 'beside' : 'apart'), line, seconds);
  const { rate, requests: work, latency } = parseWrk(output);
  return { value: rate, work, latency };
}

/** redis-benchmark ends after a number of requests, not after a time: a short run of SET tells how many to ask for. */
async function redisGet({ target, seconds }: Run): Promise<Sample> {
  const trial = 4000;
  const bench = (test: string, count: number): Promise<string> => {
    const line = `redis-benchmark -h ${target.address} -p ${REDIS_PORT} -c ${REDIS_CONNECTIONS} -t ${test} -n ${count} --csv`;
    return runTool(placeOf(target, 'apart'), line.split(' '), seconds);
  };
  const expected = parseRedis(await bench('set', trial), 'SET').rate;
  const count = Math.max(trial, Math.round(expected * seconds));
  const { rate, latency } = parseRedis(await bench('get', count), 'GET');
  return { value: rate, work: trial + count, latency };
}
