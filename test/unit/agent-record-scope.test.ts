/* From lists and events of etcd to the view: what is skipped, and what an etcd that went back may take away. */
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { History, RecordScope } from '../../src/agent/record-scope.js';
import { StoreHealth } from '../../src/agent/store-health.js';
import { BadRecord } from '../../src/model/errors.js';

const scopes = suite('record scope');
const none: ReadonlySet<string> = new Set();
const graceMs = 60;

class Records {
  readonly now = new Set<string>();
  readonly notices = new Map<string, string>();
  readonly scope: RecordScope<string>;

  constructor(history: History) {
    const { now } = this;
    this.scope = new RecordScope<string>(
      {
        noun: 'networks',
        idOf: (id) => id,
        known: () => now,
        put: (id) => now.add(id),
        remove: (id) => now.delete(id),
        replace: (all, keep) => {
          for (const id of [...now]) if (!all.includes(id) && !keep.has(id)) now.delete(id);
          for (const id of all) now.add(id);
        },
      },
      {
        health: new StoreHealth(),
        log: pino({ level: 'silent' }),
        notices: this.notices,
        onChange: () => undefined,
        onRelist: () => undefined,
        history,
      },
    );
  }

  get ids(): string {
    return [...this.now].sort().join(' ');
  }
}

scopes('a list takes away what it lacks', () => {
  const records = new Records(new History(undefined, graceMs));
  records.scope.onList(['a', 'b'], none, '10');
  records.scope.onList(['b'], none, '11');
  assert.is(records.ids, 'b');
  assert.is(records.notices.size, 0);
});

scopes(
  'what an etcd that went back lacks stays for a while, and longer if somebody writes it again',
  async () => {
    const records = new Records(new History(undefined, graceMs));
    records.scope.onList(['a', 'b', 'c'], none, '10');
    records.scope.onError(new Error('the watch ended'));
    records.scope.onList([], none, '3');
    assert.is(records.ids, 'a b c');
    assert.match([...records.notices.values()].join(), /etcd went back to revision 3/);
    records.scope.onPut('a', '4');
    records.scope.onDelete('b');
    await sleep(2 * graceMs);
    assert.is(records.ids, 'a');
    assert.is(records.notices.size, 0, 'it is no news any more');
    records.scope.close();
  },
);

scopes('an etcd that went back while nobody looked is known by the revision of the snapshot', () => {
  const records = new Records(new History('500', graceMs));
  records.now.add('a');
  records.scope.onList([], none, '3');
  assert.is(records.ids, 'a');
  records.scope.close();
});

scopes(
  'a list that was asked for before others heard of something newer is no sign of a restored etcd',
  () => {
    const history = new History('100', graceMs);
    const [slow, quick] = [new Records(history), new Records(history)];
    slow.now.add('removed');
    quick.scope.onList(['a'], none, '101');
    quick.scope.onPut('b', '105');
    slow.scope.onList([], none, '102');
    assert.is(slow.ids, '');
    assert.is(history.revision, '105');
  },
);

scopes('all kinds of records are spared, whichever is listed first', () => {
  const history = new History('500', graceMs);
  const [first, second] = [new Records(history), new Records(history)];
  second.now.add('b');
  first.scope.onList([], none, '3');
  second.scope.onList([], none, '4');
  assert.is(second.ids, 'b');
  second.scope.close();
});

scopes('a record that cannot be read is told until it can be, or is gone', () => {
  const records = new Records(new History(undefined, graceMs));
  const bad = (id: string) => records.scope.onBad(new BadRecord(`/plait/networks/${id}`, 'not JSON'));
  for (const heal of [
    () => records.scope.onPut('a', '6'),
    () => records.scope.onDelete('a'),
    () => records.scope.onList(['a'], none, '7'),
    () => records.scope.close(),
  ]) {
    bad('a');
    assert.match([...records.notices.values()].join(), /skipped: read \/plait\/networks\/a: not JSON/);
    heal();
    assert.is(records.notices.size, 0);
  }
  bad('a');
  records.scope.onList([], new Set(['a']), '8');
  assert.is(records.notices.size, 1, 'it still cannot be read');
});

scopes.run();
