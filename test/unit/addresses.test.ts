/* Address arithmetic; Python's ipaddress module, which shares no code with it, is the oracle. */
import { execFileSync } from 'node:child_process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type Cidr,
  canonicalIp,
  cidrOf,
  containerMac,
  contains,
  formatAddr,
  formatCidr,
  formatIp,
  formatMac,
  fromAddr,
  GATEWAY_MAC,
  type Ip,
  type IpVersion,
  lastOf,
  linkLocal,
  NO_ADDR,
  overlaps,
  parseCidr,
  parseIp,
  parseMac,
  randomMac,
  randomUla,
  sizeOf,
  toAddr,
  within,
} from '../../src/model/addresses.js';

const addresses = suite('addresses');

/** Park and Miller's generator: the same rows in every run. */
let state = 20261122;
function random(below: number): number {
  state = (state * 48271) % 0x7fffffff;
  return state % below;
}

/** Of few different parts, so that prefixes often meet, and with runs of zeros for the short form of IPv6. */
function randomIp(version: IpVersion): Ip {
  const [parts, width] = version === 4 ? [4, 8n] : [8, 16n];
  const choice = version === 4 ? [0, 10, 172, 255, 1] : [0, 0, 0, 0xfd00, 1, 0xffff];
  let value = 0n;
  for (let i = 0; i < parts; i++) value = (value << width) | BigInt(choice[random(choice.length)] ?? 0);
  return { version, value };
}

const ORACLE = `
import ipaddress, json, sys
out = []
for a, b in json.load(sys.stdin):
    a, b = ipaddress.ip_network(a), ipaddress.ip_network(b)
    same = a.version == b.version
    out.append([str(a[0]), str(a[-1]), str(a.num_addresses), a.overlaps(b) if same else False,
                b[0] in a if same else False, a.subnet_of(b) if same else False])
json.dump(out, sys.stdout)
`;

addresses('prefixes, their bounds, sizes and overlaps are as Python has them', () => {
  const pairs: [Cidr, Cidr][] = Array.from({ length: 3000 }, () => {
    const pick = (): Cidr => {
      const version = random(2) === 0 ? 4 : 6;
      return cidrOf(randomIp(version), random(version === 4 ? 33 : 129));
    };
    return [pick(), pick()];
  });
  const input = JSON.stringify(pairs.map((pair) => pair.map(formatCidr)));
  const output = execFileSync('python3', ['-c', ORACLE], { input, encoding: 'utf8', maxBuffer: 2 ** 24 });
  const mine = pairs.map(([a, b]) => [
    formatIp({ version: a.version, value: a.base }),
    formatIp({ version: a.version, value: lastOf(a) }),
    sizeOf(a).toString(),
    overlaps(a, b),
    contains(a, { version: b.version, value: b.base }),
    within(a, b),
  ]);
  const theirs = JSON.parse(output) as typeof mine;
  assert.is(theirs.length, 3000);
  assert.ok(theirs.filter((row) => row[3]).length > 50, 'enough of them overlap');
  for (const [i, row] of theirs.entries()) assert.equal(mine[i], row, pairs[i]?.map(formatCidr).join(' '));
});

for (const [text, canonical] of [
  ['10.0.0.1', '10.0.0.1'],
  ['255.255.255.255', '255.255.255.255'],
  ['FD00::00A1', 'fd00::a1'],
  ['0:0:0:0:0:0:0:1', '::1'],
  ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
] as const) {
  addresses(`${text} is written ${canonical}`, () => {
    assert.is(canonicalIp(text), canonical);
    assert.is(formatAddr(toAddr(parseIp(text))), canonical);
  });
}

for (const text of [
  '',
  '10.0.0',
  '10.0.0.256',
  '010.0.0.1',
  '0x0a.0.0.1',
  '10.0.0.1/24',
  'fe80::1%eth0',
  '::g',
  'web',
]) {
  addresses(`${JSON.stringify(text)} is no address`, () => {
    assert.throws(() => parseIp(text), /not an IPv4 or IPv6 address/);
  });
}

addresses('IPv4 in the dress of IPv6 is refused with the way to write it', () => {
  assert.throws(() => parseIp('::ffff:10.0.0.1'), /is IPv4, write it as 10\.0\.0\.1/);
});

for (const [text, message] of [
  ['10.0.0.1/24', /host bits are set/],
  ['fd00::1/64', /host bits are set/],
  ['10.0.0.0/33', /over 32/],
  ['fd00::/129', /over 128/],
  ['10.0.0.0', /not address\/prefix-length/],
  ['10.0.0.0/', /not address\/prefix-length/],
  ['10.0.0.0/255.0.0.0', /not address\/prefix-length/],
] as const) {
  addresses(`${text} is no subnet`, () => assert.throws(() => parseCidr(text), message));
}

addresses('a subnet with host bits is told which one was meant', () => {
  try {
    parseCidr('10.0.0.129/25');
    assert.unreachable();
  } catch (error) {
    assert.is((error as { hint?: string }).hint, '10.0.0.128/25 is the subnet');
  }
});

for (const [text, words] of [
  ['10.1.2.3', [0, 0, 0xffff, 0x0a010203]],
  ['255.255.255.254', [0, 0, 0xffff, 0xfffffffe]],
  ['fd00:1:2:3:4:5:6:7', [0xfd000001, 0x00020003, 0x00040005, 0x00060007]],
] as const) {
  addresses(`${text} in a map is ${words.map((word) => word.toString(16)).join(' ')}`, () => {
    assert.equal(toAddr(parseIp(text)), { w: [...words] });
    assert.equal(fromAddr({ w: [...words] }), parseIp(text));
  });
}

addresses('the all-zero address in a map is none', () => {
  assert.is(fromAddr(NO_ADDR), undefined);
  assert.is(formatAddr(NO_ADDR), '');
});

// Rows from RFC 4291 appendix A (its example of 34-56-78-9A-BC-DE has the local bit clear) and from `ip link`.
for (const [mac, address] of [
  ['34:56:78:9a:bc:de', 'fe80::3656:78ff:fe9a:bcde'],
  ['02:50:4c:41:49:54', 'fe80::50:4cff:fe41:4954'],
  ['00:00:00:00:00:01', 'fe80::200:ff:fe00:1'],
] as const) {
  addresses(`the link-local address of ${mac} is ${address}`, () =>
    assert.is(formatIp(linkLocal(mac)), address),
  );
}

addresses('macs are read in either case and written in lower case', () => {
  assert.equal([...parseMac('02:AB:cd:00:ff:1e')], [2, 0xab, 0xcd, 0, 0xff, 0x1e]);
  assert.is(formatMac(parseMac('02:AB:cd:00:ff:1e')), '02:ab:cd:00:ff:1e');
});

for (const [mac, message] of [
  ['01:00:5e:00:00:01', /group address/],
  ['ff:ff:ff:ff:ff:ff', /group address/],
  ['00:00:00:00:00:00', /all zero/],
  [GATEWAY_MAC.toUpperCase(), /gateway/],
  ['02:00:00:00:00', /six hexadecimal pairs/],
  ['02-00-00-00-00-01', /six hexadecimal pairs/],
  ['02:00:00:00:00:0g', /six hexadecimal pairs/],
] as const) {
  addresses(`${mac} is no mac for a container`, () => assert.throws(() => containerMac(mac), message));
}

addresses('random macs are local, unicast and different; random ULAs are /64 of fd00::/8', () => {
  const macs = Array.from({ length: 1000 }, randomMac);
  assert.ok(macs.every((mac) => containerMac(mac) === mac && ((parseMac(mac)[0] ?? 0) & 3) === 2));
  assert.is(new Set(macs).size, 1000);
  const ula = randomUla();
  assert.is(ula.prefix, 64);
  assert.ok(within(ula, parseCidr('fd00::/8')));
});

addresses.run();
