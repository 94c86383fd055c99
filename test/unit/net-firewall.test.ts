import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { renderFirewall } from '../../src/net/firewall.js';
import { hostIfname } from '../../src/net/veth.js';

const test = suite('net: pure parts');

test('the table is replaced in one transaction: declared, deleted, written', () => {
  const text = renderFirewall({ subnets: [], port: 4789 });
  assert.match(text, /^table inet plait\ndelete table inet plait\ntable inet plait {/);
});

test('subnets go to the set of their IP version; an empty set has no elements', () => {
  const text = renderFirewall({ subnets: ['10.10.0.0/24', '10.20.0.0/16'], port: 4789 });
  assert.match(text, 'elements = { 10.10.0.0/24, 10.20.0.0/16 }');
  assert.is(text.match(/elements/g)?.length, 1);
});

test('the port of VXLAN stays out of connection tracking both ways', () => {
  assert.is(renderFirewall({ subnets: [], port: 14789 }).match(/udp dport 14789 notrack/g)?.length, 2);
});

test('containers may not send to the port of VXLAN, neither to other nodes nor to their own', () => {
  const text = renderFirewall({ subnets: [], port: 14789 });
  assert.is(text.match(/iifname "plait0" udp dport 14789 counter drop/g)?.length, 2);
});

test('host ends have names that the kernel takes, and differ', () => {
  const names = Array.from({ length: 1000 }, (_, n) => hostIfname(`id ${n}`));
  assert.ok(names.every((name) => /^pl[0-9a-f]{11}$/.test(name)));
  assert.is(new Set(names).size, 1000);
});

test.run();
