// What the measuring programs of Debian 12 really print (iperf3 3.12, sockperf 3.7, wrk 4.1.0, redis-benchmark 7.0.15), and
// what is read from it.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { datagramsIn, kernelMicros } from '../../src/bench/counters.js';
import {
  parseIperf3,
  parsePingPong,
  parseRedis,
  parseThroughput,
  parseWrk,
} from '../../src/bench/tool-output.js';
import { summariseFlows } from '../../src/bench/workloads.js';

const IPERF3 = {
  start: { version: 'iperf 3.12' },
  intervals: [],
  end: {
    sum_sent: {
      start: 0,
      end: 1.006751,
      seconds: 1.006751,
      bytes: 542900224,
      bits_per_second: 4314077455.1006155,
      retransmits: 3,
      sender: true,
    },
    sum_received: {
      start: 0,
      end: 1.02324,
      seconds: 1.02324,
      bytes: 540278784,
      bits_per_second: 4224063046.7925415,
      sender: true,
    },
  },
};
const IPERF3_REFUSED = {
  start: {
    connected: [],
    version: 'iperf 3.12',
    system_info: 'Linux vm 6.18.44-fc-v657 #1 SMP PREEMPT_DYNAMIC @0 x86_64',
  },
  intervals: [],
  end: {},
  error: 'unable to connect to server: Connection refused',
};
const PING_PONG = `sockperf: \x1b[2;35m== version #3.7-no.git == \x1b[0m
sockperf[CLIENT] send on:sockperf: using recvfrom() to block on socket(s)

[ 0] IP = 10.99.0.2       PORT =  5202 # TCP
sockperf: Warmup stage (sending a few dummy messages)...
sockperf: Starting test...
sockperf: Test end (interrupted by timer)
sockperf: Test ended
sockperf: [Total Run] RunTime=1.001 sec; Warm up time=400 msec; SentMessages=13772; ReceivedMessages=13771
sockperf: ========= Printing statistics for Server No: 0
sockperf: [Valid Duration] RunTime=0.555 sec; SentMessages=7275; ReceivedMessages=7275
sockperf: \x1b[2;35m====> avg-rtt=76.251 (std-dev=446.924)\x1b[0m
sockperf: # dropped messages = 0; # duplicated messages = 0; # out-of-order messages = 0
sockperf: Summary: Round trip is 76.251 usec
sockperf: \x1b[2;35mTotal 7275 observations\x1b[0m; each percentile contains 72.75 observations
sockperf: ---> <MAX> observation = 10165.695
sockperf: ---> percentile 99.999 = 10165.695
sockperf: ---> percentile 99.990 = 8904.647
sockperf: ---> percentile 99.900 = 5955.396
sockperf: ---> percentile 99.000 = 2386.783
sockperf: ---> percentile 90.000 =   32.418
sockperf: ---> percentile 75.000 =   13.139
sockperf: ---> percentile 50.000 =   12.658
sockperf: ---> percentile 25.000 =   12.218
sockperf: ---> <MIN> observation =   11.617
`;
const STOPPED = `sockperf: Test ended
sockperf: [Total Run] RunTime=1.978 sec; Warm up time=400 msec; SentMessages=3; ReceivedMessages=2
sockperf: ========= Printing statistics for Server No: 0
sockperf: No valid observations found. Try tune parameters: --time/--mps/--reply-every
`;
const NO_SERVER = `sockperf: \x1b[2;35m== version #3.7-no.git == \x1b[0m
sockperf[CLIENT] send on:sockperf: using recvfrom() to block on socket(s)

[ 0] IP = 10.99.0.2       PORT =  5999 # UDP
sockperf: Warmup stage (sending a few dummy messages)...
sockperf: Starting test...
sockperf: Test end (interrupted by timer)
sockperf: Test ended
sockperf: No messages were received from the server. Is the server down?
`;
const THROUGHPUT = `sockperf: \x1b[2;35m== version #3.7-no.git == \x1b[0m
sockperf[CLIENT] send on:
[ 0] IP = 10.99.0.2       PORT =  5999 # UDP
sockperf: Warmup stage (sending a few dummy messages)...
sockperf: Starting test...
sockperf: Test end (interrupted by timer)
sockperf: Test ended
sockperf: Total of 59918 messages sent in 1.000 sec

sockperf: \x1b[2;35mNOTE: test was performed, using msg-size=64. For getting maximum throughput consider using --msg-size=1472\x1b[0m
sockperf: Summary: Message Rate is 59890 [msg/sec]
sockperf: Summary: BandWidth is 3.655 MBps (29.243 Mbps)
`;
const WRK = `Running 1s test @ http://10.99.0.2:5205/1k
  1 threads and 4 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.13ms    6.14ms  54.45ms   94.03%
    Req/Sec     9.58k     2.68k   14.75k    72.73%
  Latency Distribution
     50%  167.00us
     75%    1.52ms
     90%    3.35ms
     99%   36.80ms
  10673 requests in 1.12s, 12.87MB read
Requests/sec:   9534.23
Transfer/sec:     11.49MB
`;
const WRK_404 = `Running 1s test @ http://10.99.0.2:5205/no
  1 threads and 4 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.39ms    3.36ms  35.37ms   94.24%
    Req/Sec     9.60k     3.53k   13.06k    90.00%
  Latency Distribution
     50%  140.00us
     75%    1.42ms
     90%    3.06ms
     99%   19.98ms
  9574 requests in 1.01s, 2.81MB read
  Non-2xx or 3xx responses: 9574
Requests/sec:   9507.00
Transfer/sec:      2.79MB
`;
const REDIS = `"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"
"SET","14285.71","2.410","0.032","2.239","4.991","11.191","11.415"
"GET","16393.44","2.168","0.184","1.943","4.439","4.951","5.127"
`;

const test = suite('bench: tools');

test('iperf3: what arrived, all streams together', () => {
  const { bytes, bits_per_second } = IPERF3.end.sum_received;
  assert.equal(parseIperf3(JSON.stringify(IPERF3)), { bytes, bitsPerSecond: bits_per_second });
});

test('sockperf ping-pong: the rate of the valid time, the exchanges of the whole run, round trips', () => {
  assert.equal(parsePingPong(PING_PONG), {
    rate: 7275 / 0.555,
    exchanges: 13_771,
    latency: { p50: 12.658, p99: 2386.783 },
  });
});

test('sockperf ping-pong: a flow whose answer was lost has a rate of 0, and is no error', () => {
  assert.equal(parsePingPong(STOPPED), { rate: 0, exchanges: 2 });
  assert.equal(parsePingPong(NO_SERVER), { rate: 0, exchanges: 0 });
});

test('sockperf throughput: what was sent, and how long', () => {
  assert.equal(parseThroughput(THROUGHPUT), { messages: 59_918, seconds: 1 });
});

test('wrk: rate, requests, latencies in microseconds whatever their unit', () => {
  const latency = { p50: 167, p99: 36_800 };
  assert.equal(parseWrk(WRK), { rate: 9534.23, requests: 10_673, latency });
  const slow = WRK.replace('36.80ms', '  1.10s ');
  assert.is(parseWrk(slow).latency.p99, 1_100_000, 'wrk pads a unit of one letter');
});

test('redis-benchmark: the line of one test, milliseconds made microseconds', () => {
  assert.equal(parseRedis(REDIS, 'GET'), { rate: 16_393.44, latency: { p50: 1943, p99: 4951 } });
  assert.equal(parseRedis(REDIS, 'SET').rate, 14_285.71);
});

const failures: [what: string, read: () => unknown, message: RegExp][] = [
  ['an iperf3 without a server', () => parseIperf3(JSON.stringify(IPERF3_REFUSED)), /Connection refused/],
  ['an iperf3 that was killed', () => parseIperf3('{"start":'), /iperf3's output: it has no result/],
  ['a sockperf that said nothing', () => parsePingPong(''), /nothing at all/],
  ['a sockperf of another mode', () => parseThroughput(PING_PONG), /sockperf's output: it has no result/],
  ['answers that are errors', () => parseWrk(WRK_404), /Non-2xx or 3xx responses: 9574/],
  [
    'requests without an answer',
    () =>
      parseWrk(
        WRK.replace('Requests/sec', '  Socket errors: connect 0, read 0, write 0, timeout 7\nRequests/sec'),
      ),
    /timeout 7/,
  ],
  [
    'a redis test that was not run',
    () => parseRedis(REDIS, 'INCR'),
    /redis-benchmark's output: it has no result/,
  ],
];
for (const [what, read, message] of failures) {
  test(`${what}: an error, not a figure`, () => assert.throws(read, message));
}

test('concurrent flows: rates are added, and one that nearly stopped is counted', () => {
  const flow = { rate: 1000, exchanges: 1100, latency: { p50: 10, p99: 20 } };
  const slow = { rate: 90, exchanges: 99, latency: { p50: 200, p99: 300 } };
  const sample = summariseFlows([flow, flow, flow, slow, { rate: 0, exchanges: 2 }]);
  assert.equal(sample, {
    value: 3090,
    work: 3401,
    latency: { p50: 10, p99: 20 },
    stalledFlows: 2,
  });
  assert.throws(() => summariseFlows([{ rate: 0, exchanges: 0 }]), /no request was answered/);
});

test('/proc/stat: system and softirq time, in microseconds', () => {
  const stat = 'cpu  2495976 7351 568237 1845831 4462 7 108354 2973 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\n';
  assert.is(kernelMicros(stat), (568_237 + 108_354) * 10_000);
  assert.throws(() => kernelMicros('intr 1\n'), /no line for all processors/);
});

test('/proc/net/snmp: the datagrams that sockets got', () => {
  const snmp = `Tcp: RtoAlgorithm RtoMin\nTcp: 1 200
Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors
Udp: 153480 14 8 141909 7\n`;
  assert.is(datagramsIn(snmp), 153_480);
  assert.throws(() => datagramsIn('Tcp: RtoAlgorithm\nTcp: 1\n'), /no InDatagrams/);
});

test.run();
