/*
 * What the measuring programs print, read. Rates are per second, times in microseconds. Output that lacks what is
 * asked for is an error with its last lines: a figure is never guessed.
 */
import { z } from 'zod';

export interface Latency {
  p50: number;
  p99: number;
}

const iperf3Report = z.object({
  error: z.string().optional(),
  end: z
    .object({ sum_received: z.object({ bytes: z.number(), bits_per_second: z.number() }).optional() })
    .optional(),
});

/** `iperf3 -J`, TCP: what arrived at the far end, over all its streams. */
export function parseIperf3(output: string): { bitsPerSecond: number; bytes: number } {
  let report: z.infer<typeof iperf3Report>;
  try {
    report = iperf3Report.parse(JSON.parse(output));
  } catch {
    throw unreadable('iperf3', output);
  }
  const sum = report.end?.sum_received;
  if (report.error || !sum) throw new Error(`read iperf3's output: ${report.error ?? 'it received nothing'}`);
  return { bitsPerSecond: sum.bits_per_second, bytes: sum.bytes };
}

export interface PingPong {
  /** Exchanges per second, over the time that sockperf counts as valid: without warm-up and end. */
  rate: number;
  /** Exchanges of the whole run. */
  exchanges: number;
  /** Missing where nothing was exchanged in that time. */
  latency?: Latency;
}

/** sockperf's words for a flow that came to a stop: its client waits for ever for an answer that is lost. */
const STOPPED = /No valid observations found|No messages were received from the server/;

/** `sockperf ping-pong --full-rtt`. A flow without exchanges is a result: its rate is 0. */
export function parsePingPong(output: string): PingPong {
  const total = /\[Total Run\].*ReceivedMessages=(\d+)/.exec(output)?.[1];
  if (STOPPED.test(output)) return { rate: 0, exchanges: Number(total ?? 0) };
  const valid = /\[Valid Duration\] RunTime=([\d.]+) sec; .*ReceivedMessages=(\d+)/.exec(output);
  if (!total || !valid) throw unreadable('sockperf', output);
  return {
    rate: Number(valid[2]) / Number(valid[1]),
    exchanges: Number(total),
    latency: {
      p50: numberAfter(/percentile 50\.000 =\s*([\d.]+)/, output, 'sockperf'),
      p99: numberAfter(/percentile 99\.000 =\s*([\d.]+)/, output, 'sockperf'),
    },
  };
}

/** `sockperf throughput`: what was sent; what arrived only the receiver knows. */
export function parseThroughput(output: string): { messages: number; seconds: number } {
  const sent = /Total of (\d+) messages sent in ([\d.]+) sec/.exec(output);
  if (!sent) throw unreadable('sockperf', output);
  return { messages: Number(sent[1]), seconds: Number(sent[2]) };
}

/** `wrk --latency`. Answers other than 2xx and 3xx, and requests that failed, are no figure but an error. */
export function parseWrk(output: string): { rate: number; requests: number; latency: Latency } {
  const bad = /^ *(Non-2xx or 3xx responses: \d+|Socket errors: .*)$/m.exec(output)?.[1];
  if (bad) throw new Error(`read wrk's output: ${bad}`);
  return {
    rate: numberAfter(/^Requests\/sec:\s*([\d.]+)$/m, output, 'wrk'),
    requests: numberAfter(/^ *(\d+) requests in /m, output, 'wrk'),
    latency: { p50: wrkPercentile(50, output), p99: wrkPercentile(99, output) },
  };
}

function wrkPercentile(percent: number, output: string): number {
  const found = new RegExp(`^ *${percent}% +([\\d.]+)(us|ms|s) *$`, 'm').exec(output);
  if (!found) throw unreadable('wrk', output);
  const scale = { us: 1, ms: 1e3, s: 1e6 }[found[2] as 'us' | 'ms' | 's'];
  return Number(found[1]) * scale;
}

/** `redis-benchmark --csv`: the line of one of its tests, such as GET. */
export function parseRedis(output: string, test: string): { rate: number; latency: Latency } {
  const [titles = [], ...lines] = output
    .split('\n')
    .filter((line) => line.startsWith('"'))
    .map((line) => line.split(',').map((cell) => cell.replace(/^"|"$/g, '')));
  const cells = lines.find(([name]) => name === test);
  const column = (title: string): number => Number(cells?.[titles.indexOf(title)] || Number.NaN);
  const rate = column('rps');
  const latency = { p50: 1000 * column('p50_latency_ms'), p99: 1000 * column('p99_latency_ms') };
  if (Number.isNaN(rate + latency.p50 + latency.p99)) throw unreadable('redis-benchmark', output);
  return { rate, latency };
}

function numberAfter(pattern: RegExp, output: string, tool: string): number {
  const text = pattern.exec(output)?.[1];
  if (text === undefined) throw unreadable(tool, output);
  return Number(text);
}

function unreadable(tool: string, output: string): Error {
  const words = output.trim().split('\n').slice(-3).join(' · ');
  return new Error(`read ${tool}'s output: it has no result: ${words || 'nothing at all'}`);
}
