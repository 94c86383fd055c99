// Where XDP runs on the underlay and where not, and what a kernel's refusal means. The links are as iproute2 6.1 prints them.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { chooseXdp, isForeign, refusal } from '../../src/datapath/xdp-choice.js';
import { readXdpDevice } from '../../src/net/xdp.js';

const ether = { ifname: 'u1', link_type: 'ether', address: '02:00:00:00:00:01', mtu: 1500 };
const pci = readXdpDevice({ ...ether, parentbus: 'pci' });
const virtio = readXdpDevice({ ...ether, parentbus: 'virtio' });
const veth = readXdpDevice({ ...ether, linkinfo: { info_kind: 'veth' } });
const bond = readXdpDevice({ ...ether, linkinfo: { info_kind: 'bond' } });
const tap = readXdpDevice({ ...ether, linkinfo: { info_kind: 'tun' } });
const wireguard = readXdpDevice({ ...ether, link_type: 'none', linkinfo: { info_kind: 'wireguard' } });

for (const [option, device, mode, reason] of [
  ['auto', pci, 'native', null],
  ['auto', bond, 'native', null],
  ['auto', veth, null, /u1 is a veth: .*TSO/],
  ['auto', virtio, null, /u1 is a virtio NIC: .*guest TSO/],
  ['auto', wireguard, null, /u1 has no Ethernet headers/],
  ['native', veth, 'native', null],
  ['native', virtio, 'native', null],
  ['native', wireguard, null, /u1 has no Ethernet headers/],
  ['generic', veth, 'generic', null],
  ['deliver', pci, 'native', null],
  ['deliver', bond, 'native', null],
  ['deliver', virtio, 'native', null],
  ['deliver', veth, null, /u1 is a veth: .*checksums/],
  ['deliver', tap, null, /u1 is a tun: .*checksums/],
  ['deliver', wireguard, null, /u1 has no Ethernet headers/],
  ['off', pci, null, /as it was asked for/],
] as const) {
  test(`--xdp ${option} on ${device.kind ?? device.bus}: ${mode ?? 'off'}`, () => {
    const choice = chooseXdp(option, device);
    assert.is(choice.mode, mode);
    if (reason === null) assert.is(choice.reason, null);
    else assert.match(choice.reason ?? '', reason);
  });
}

test('who has the senders’ checksum offload off may deliver on a veth, and on nothing else', () => {
  assert.is(chooseXdp('deliver', veth, true).mode, 'native');
  assert.is(chooseXdp('deliver', tap, true).mode, null);
  assert.is(chooseXdp('auto', veth, true).mode, null);
});

test('programs on a device are read with their modes, one or several', () => {
  assert.equal(pci.programs, []);
  assert.equal(readXdpDevice({ ...ether, xdp: { mode: 2, prog: { id: 7 } } }).programs, [
    { mode: 'generic', id: 7 },
  ]);
  const attached = [
    { mode: 1, prog: { id: 8 } },
    { mode: 3, prog: { id: 9 } },
  ];
  assert.equal(readXdpDevice({ ...ether, xdp: { mode: 4, attached } }).programs, [
    { mode: 'native', id: 8 },
    { mode: 'offload', id: 9 },
  ]);
});

test('a refusal tells whose program is in the way, what the driver lacks, or what it may dislike', () => {
  const taken = readXdpDevice({ ...ether, xdp: { mode: 1, prog: { id: 7 } } });
  assert.is(refusal('EBUSY', 'native', taken), 'u1 has another XDP program (id 7), which stays');
  assert.is(refusal('EEXIST', 'native', pci), 'u1 has another XDP program, which stays');
  assert.is(refusal('EOPNOTSUPP', 'native', pci), 'the driver of u1 has no native XDP');
  assert.is(refusal('EOPNOTSUPP', 'native', bond), 'the kind of device (bond) of u1 has no native XDP');
  assert.match(refusal('EINVAL', 'native', pci), /^u1 with MTU 1500 refuses native XDP \(EINVAL\): .*queues/);
  assert.equal(['EBUSY', 'EEXIST', 'EINVAL'].map(isForeign), [true, true, false]);
});

test.run();
