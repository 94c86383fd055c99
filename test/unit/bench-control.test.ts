/* The benchmark of the control plane, as far as it is arithmetic: who is where, what etcd's metrics say, the report. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { churn, type Hands } from '../../src/bench/control/churn.js';
import { etcdLoad, Metrics } from '../../src/bench/control/metrics.js';
import {
  type ControlOptions,
  checkOptions,
  churningMac,
  churningNumber,
  divide,
  membersOf,
  planAgents,
  type Seat,
  seats,
  standingMac,
  subnetOf,
} from '../../src/bench/control/plan.js';
import { spreadOf } from '../../src/bench/control/result.js';
import { containerMac, parseCidr, parseMac } from '../../src/model/addresses.js';

const control = suite('bench control');

const options: ControlOptions = {
  agents: 100,
  endpoints: 50,
  networks: 20,
  rate: 20,
  seconds: 1,
  processes: 2,
  memoryEndpoints: 0,
};

for (const [agents, networks] of [
  [100, 20],
  [1000, 200],
  [1000, 7],
  [5, 2],
  [3, 3],
] as const) {
  control(`${agents} agents are spread over ${networks} networks, each on two of them`, () => {
    const planned = planAgents({ ...options, agents, networks });
    assert.is(planned.length, agents);
    assert.is(new Set(planned.map(({ vtep }) => vtep)).size, agents);
    for (const { networks: own } of planned) assert.is(new Set(own).size, 2);
    const members = membersOf(planned, networks);
    assert.is(
      members.flat().length,
      planned.reduce((sum, agent) => sum + agent.networks.length, 0),
    );
    const sizes = members.map(({ length }) => length);
    assert.ok(Math.max(...sizes) <= 2 * Math.min(...sizes), sizes.join());
  });
}

control('one network is everybody’s', () => {
  const planned = planAgents({ ...options, agents: 4, networks: 1 });
  assert.equal(membersOf(planned, 1), [[0, 1, 2, 3]]);
});

control('seats go round all agents and all of their networks', () => {
  const planned = planAgents({ ...options, agents: 6, networks: 3 });
  const seating = seats(planned);
  const taken = Array.from({ length: 12 }, () => seating.next().value);
  const expected = planned.flatMap(({ index, networks }) => networks.map((network) => `${index}/${network}`));
  assert.equal(
    [...new Set(taken.map(({ agent, network }) => `${agent}/${network}`))].sort(),
    expected.sort(),
  );
});

control('agents are divided evenly and stay in order', () => {
  const items = Array.from({ length: 10 }, (_, at) => at);
  assert.equal(divide(items, 3).flat(), items);
  assert.equal(
    divide(items, 3).map(({ length }) => length),
    [3, 4, 3],
  );
  assert.equal(divide([1], 1), [[1]]);
});

control('a MAC says which endpoint it is, and is one that a container may have', () => {
  for (const number of [0, 1, 255, 256, 65_535, 4_000_000_000]) {
    assert.is(churningNumber(parseMac(containerMac(churningMac(number)))), number);
    assert.is(churningNumber(parseMac(containerMac(standingMac(number)))), undefined);
  }
});

control('subnets of networks are subnets and differ', () => {
  const subnets = Array.from({ length: 1000 }, (_, at) => subnetOf(at));
  for (const subnet of subnets) assert.is(parseCidr(subnet).prefix, 18);
  assert.is(new Set(subnets).size, 1000);
});

for (const [change, message] of [
  [{ agents: 5 }, /divide 5 agents among 20 networks/],
  [{ agents: 2, networks: 1, processes: 3 }, /run 2 agents in 3 processes/],
  [{ endpoints: 19 }, /let 19 endpoints come and go at 20\/s/],
] as const) {
  control(`refused: ${JSON.stringify(change)}`, () => {
    assert.throws(() => checkOptions({ ...options, ...change }), message);
  });
}

control('percentiles are values that occurred', () => {
  const values = Array.from({ length: 200 }, (_, at) => 200 - at);
  assert.equal(spreadOf(values), { count: 200, p50: 100, p99: 198, max: 200 });
  assert.equal(spreadOf([7]), { count: 1, p50: 7, p99: 7, max: 7 });
  assert.equal(spreadOf([]), { count: 0, p50: 0, p99: 0, max: 0 });
});

const before = `# HELP something
process_cpu_seconds_total 1.5
grpc_server_started_total{grpc_method="Txn",grpc_service="etcdserverpb.KV",grpc_type="unary"} 10
etcd_disk_wal_fsync_duration_seconds_sum 0.5
etcd_disk_wal_fsync_duration_seconds_count 100
`;
const after = `process_cpu_seconds_total 3.5
grpc_server_started_total{grpc_method="Txn",grpc_service="etcdserverpb.KV",grpc_type="unary"} 60
grpc_server_started_total{grpc_method="Range",grpc_service="etcdserverpb.KV",grpc_type="unary"} 20
etcd_disk_wal_fsync_duration_seconds_bucket{le="0.001"} 100
etcd_disk_wal_fsync_duration_seconds_sum 1.5
etcd_disk_wal_fsync_duration_seconds_count 300
etcd_debugging_mvcc_watcher_total 12
etcd_mvcc_db_total_size_in_bytes 2.048e+07
`;

control('what etcd did is the difference of its counters over the time', () => {
  const load = etcdLoad(new Metrics(before), new Metrics(after), 10);
  assert.equal(load.requests, { txn: 5, range: 2, lease: 0 });
  assert.is(load.cpu, 0.2);
  assert.is(load.fsyncMs, 5);
  assert.is(load.watchers, 12);
  assert.is(load.databaseBytes, 20_480_000);
});

/** Agents that take a moment, and what they were asked. */
function handsOf(failing: (endpoint: number) => boolean = () => false) {
  const asked: string[] = [];
  const hands: Hands = {
    async attach(seat: Seat, endpoint: number) {
      asked.push(`attach ${endpoint} at ${seat.agent}`);
      if (failing(endpoint)) throw new Error('attach: no');
      return { id: `e${endpoint}`, at: 0 };
    },
    async detach(_: Seat, id: string) {
      asked.push(`detach ${id}`);
    },
  };
  return { asked, hands };
}

const churnOptions = (rate: number, signal = new AbortController().signal) => ({
  rate,
  seconds: 0.1,
  seats: seats(planAgents({ ...options, agents: 2, networks: 2 })),
  present: [0, 1, 2].map((agent) => ({ seat: { agent, network: 0 }, id: `s${agent}` })),
  signal,
});

control('each tick attaches one and detaches the oldest, so that as many are there in the end', async () => {
  const { asked, hands } = handsOf();
  const result = await churn(hands, churnOptions(50));
  assert.is(result.attached.size, 5);
  assert.is(result.detached, 5);
  assert.is(result.present.length, 3);
  assert.ok(result.seconds >= 0.07, String(result.seconds)); // a timer may come a little early
  assert.equal(
    asked.filter((line) => line.startsWith('detach')),
    ['detach s0', 'detach s1', 'detach s2', 'detach e0', 'detach e1'],
  );
});

control('what fails is told and not counted', async () => {
  const { hands } = handsOf((endpoint) => endpoint === 1);
  const result = await churn(hands, churnOptions(50));
  assert.equal(result.failures, ['attach: no']);
  assert.equal([...result.attached.keys()], [0, 2, 3, 4]);
});

control('an aborted run ends at once', async () => {
  const { asked, hands } = handsOf();
  const ending = new AbortController();
  const running = churn(hands, { ...churnOptions(10, ending.signal), seconds: 100 });
  setTimeout(() => ending.abort(), 20);
  const error = await running.catch((reason: Error) => reason);
  assert.ok(error instanceof Error);
  assert.ok(asked.length <= 4, asked.join());
});

control.run();
