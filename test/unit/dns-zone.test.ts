/* What a question gets, over the view that the agent has. Pure. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { resolve, type Verdict } from '../../src/dns/zone.js';
import { type Endpoint, type Network, randomId } from '../../src/model/records.js';
import { ClusterView } from '../../src/model/view.js';

const createdAt = '2024-01-01T00:00:00.000Z';
const common = { labels: {}, createdAt };
const [n1, n2] = [randomId(), randomId()];
const [app, db, vault] = [randomId(), randomId(), randomId()];

const network = (id: string, name: string, subnets: string[], internal = false): Network => ({
  ...{ ...common, id, name, vni: 4096, internal, mtu: 1450, options: {} },
  subnets: subnets.map((subnet) => ({ subnet, gateway: null })),
});
const endpoint = (
  net: string,
  node: string,
  name: string,
  addresses: string[],
  aliases: string[] = [],
): Endpoint => ({
  ...{ ...common, id: randomId(), network: net, node, name, aliases, addresses, mac: '02:00:00:00:00:01' },
});

function viewOf(endpoints: Endpoint[], alive = [n1, n2]): ClusterView {
  const view = new ClusterView();
  view.putNetwork(network(app, 'app', ['10.10.0.0/24', 'fd00:10::/64']));
  view.putNetwork(network(db, 'db.prod', ['10.20.0.0/24']));
  view.putNetwork(network(vault, 'vault', ['10.30.0.0/24'], true));
  alive.forEach((node) => {
    view.putAlive(node);
  });
  endpoints.forEach((one) => {
    view.putEndpoint(one);
  });
  return view;
}

const standard = [
  endpoint(app, n1, 'web', ['10.10.0.2', 'fd00:10::2'], ['www']),
  endpoint(app, n1, 'api.1', ['10.10.0.3']),
  endpoint(app, n2, 'api.2', ['10.10.0.4']),
  endpoint(app, n2, 'six', ['fd00:10::6']),
  endpoint(db, n1, 'web', ['10.20.0.2']),
  endpoint(db, n1, 'store', ['10.20.0.3']),
  endpoint(vault, n1, 'safe', ['10.30.0.2']),
  endpoint(app, 'external', 'plain', ['10.10.0.9']),
];

/** The answer in one word: its data, sorted, or the kind of verdict. */
function summary(verdict: Verdict): string {
  if (verdict.kind !== 'answer') return verdict.kind;
  return verdict.records
    .map((record) => ('data' in record ? String(record.data) : ''))
    .sort()
    .join(' ');
}

function ask(view: ClusterView, networks: string[], question: string): string {
  const [name = '', type = 'A'] = question.split(' ');
  return summary(resolve({ name, type, plain: true }, view, networks));
}

const test = suite('zone');

const rows: [string, string[], string, string][] = [
  ['a name', [app], 'web A', '10.10.0.2'],
  ['its IPv6 address', [app], 'web AAAA', 'fd00:10::2'],
  ['both at once', [app], 'web ANY', '10.10.0.2 fd00:10::2'],
  ['an alias', [app], 'www A', '10.10.0.2'],
  ['any case', [app], 'WeB A', '10.10.0.2'],
  ['a name with its network', [app], 'web.app A', '10.10.0.2'],
  ['a network with a dot in its name', [app, db], 'store.db.prod A', '10.20.0.3'],
  ['one replica', [app], 'api.2 A', '10.10.0.4'],
  ['one replica with its network', [app], 'api.2.app A', '10.10.0.4'],
  ['all replicas by the name that they share', [app], 'api A', '10.10.0.3 10.10.0.4'],
  ["all replicas by Swarm's name for them", [app], 'tasks.api.app A', '10.10.0.3 10.10.0.4'],
  ['the network attached first, where two know a name', [db, app], 'web A', '10.20.0.2'],
  ['the other network, when it is named', [db, app], 'web.app A', '10.10.0.2'],
  ['a declared endpoint, which has no node', [app], 'plain A', '10.10.0.9'],
  ['no data for a type that it does not have', [app], 'six A', 'empty'],
  ['no data for a type that nothing has', [app], 'web MX', 'empty'],
  ['a reverse name', [app], '2.0.10.10.in-addr.arpa PTR', 'web.app'],
  ['a reverse name in any case', [app], '2.0.10.10.IN-ADDR.ARPA PTR', 'web.app'],
  [
    'an IPv6 reverse name',
    [app],
    '2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.0.d.f.ip6.arpa PTR',
    'web.app',
  ],
  ['no data for another type of a reverse name', [app], '2.0.10.10.in-addr.arpa A', 'empty'],
  ['nothing for a free address of ours', [app], '77.0.10.10.in-addr.arpa PTR', 'absent'],
  ['the upstream for an address elsewhere', [app], '8.8.8.8.in-addr.arpa PTR', 'forward'],
  ['the upstream for a reverse zone', [app], '10.in-addr.arpa SOA', 'forward'],
  ['nothing for an unknown name without a dot', [app], 'nobody A', 'absent'],
  ['nothing for a replica that is not there', [app], 'api.9 A', 'absent'],
  ['the upstream for the rest', [app], 'example.com A', 'forward'],
  ['the upstream for a public domain called like our network', [app], 'cash.app A', 'forward'],
  ['the upstream for the root', [app], '. NS', 'forward'],
  ['the upstream for a top level domain', [app], 'com NS', 'forward'],
  ['nothing of networks that it is not on', [app], 'store A', 'absent'],
  ['nothing from outside on an internal network', [vault], 'example.com A', 'absent'],
  [
    'nothing from outside for addresses on an internal network',
    [vault],
    '8.8.8.8.in-addr.arpa PTR',
    'absent',
  ],
  ['its own on an internal network', [vault], 'safe A', '10.30.0.2'],
  ['the upstream if one of its networks is not internal', [vault, app], 'example.com A', 'forward'],
  ['no statement while one of its networks is not known', [app, 'unheard'], 'example.com A', 'unknown'],
  ['no statement about unknown names either', [app, 'unheard'], 'nobody A', 'unknown'],
  ['what is known even so', [app, 'unheard'], 'web A', '10.10.0.2'],
];
for (const [what, networks, question, expected] of rows) {
  test(`${question} gets ${what}`, () => {
    assert.is(ask(viewOf(standard), networks, question), expected);
  });
}

test('leaves out endpoints of nodes that are down, as long as another is up', () => {
  const crowd = [endpoint(app, n1, 'shop', ['10.10.0.5']), endpoint(app, n2, 'shop', ['10.10.0.6'])];
  assert.is(ask(viewOf(crowd), [app], 'shop'), '10.10.0.5 10.10.0.6');
  assert.is(ask(viewOf(crowd, [n2]), [app], 'shop'), '10.10.0.6');
  assert.is(ask(viewOf(crowd, []), [app], 'shop'), '10.10.0.5 10.10.0.6');
});

test('leaves out replicas of nodes that are down', () => {
  assert.is(ask(viewOf(standard, [n1]), [app], 'api'), '10.10.0.3');
});

test('prefers an endpoint of exactly that name to replicas', () => {
  const view = viewOf([...standard, endpoint(app, n1, 'api', ['10.10.0.8'])]);
  assert.is(ask(view, [app], 'api'), '10.10.0.8');
  assert.is(ask(view, [app], 'tasks.api'), '10.10.0.3 10.10.0.4');
});

test('forgets an endpoint with its names', () => {
  const [web, ...rest] = standard;
  const view = viewOf([...rest, web as Endpoint]);
  view.deleteEndpoint((web as Endpoint).id);
  assert.is(ask(view, [app], 'www A'), 'absent');
  assert.is(ask(view, [app], '2.0.10.10.in-addr.arpa PTR'), 'absent');
});

test('shuffles by the random numbers it is given', () => {
  const order = (random: number) =>
    summaryInOrder(resolve({ name: 'api', type: 'A', plain: true }, viewOf(standard), [app], () => random));
  assert.is(order(0), '10.10.0.4 10.10.0.3');
  assert.is(order(0.99), '10.10.0.3 10.10.0.4');
});

function summaryInOrder(verdict: Verdict): string {
  return verdict.kind === 'answer' ? verdict.records.map((r) => ('data' in r ? r.data : '')).join(' ') : '';
}

test('takes a name that only looks like one of ours for a stranger', () => {
  const question = { name: 'web', type: 'A', plain: false };
  assert.is(resolve(question, viewOf(standard), [app]).kind, 'forward');
});

test('gives records a short life', () => {
  const verdict = resolve({ name: 'web', type: 'A', plain: true }, viewOf(standard), [app]);
  assert.equal(verdict, {
    kind: 'answer',
    records: [{ name: 'web', type: 'A', ttl: 5, data: '10.10.0.2' }],
  });
});

test.run();
