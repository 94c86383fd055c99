// The frames were written by hand from the RFCs; what is expected of them is what tcpdump says about the same bytes.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { summarize } from '../../src/datapath/frame.js';

const test = suite('datapath: frame summary');

const MACS = '020000000002 020000000001';
const SHOWN = '02:00:00:00:00:01 > 02:00:00:00:00:02';
const IPV4 = '4500 0054 0001 4000 40 PP 0000 0a0a0002 0a0a0003';
const IPV6 = '60000000 0020 PP 40 fd000000000000000000000000000002 fd000000000000000000000000000003';

function ip(header: string, protocol: string): string {
  return header.replace('PP', protocol);
}

const rows: [name: string, hex: string, summary: string][] = [
  ['TCP', `${MACS} 0800 ${ip(IPV4, '06')} d431 0050`, '10.10.0.2:54321 > 10.10.0.3:80 tcp'],
  ['UDP', `${MACS} 0800 ${ip(IPV4, '11')} d431 0035 0008 0000`, '10.10.0.2:54321 > 10.10.0.3:53 udp'],
  ['ping', `${MACS} 0800 ${ip(IPV4, '01')} 0800 0000`, '10.10.0.2 > 10.10.0.3 icmp type 8 code 0'],
  ['an unusual protocol', `${MACS} 0800 ${ip(IPV4, '2f')}`, '10.10.0.2 > 10.10.0.3 protocol 47'],
  ['TCP cut after the IP header', `${MACS} 0800 ${ip(IPV4, '06')} d4`, '10.10.0.2 > 10.10.0.3 tcp'],
  [
    'IP options before the ports',
    `${MACS} 0800 ${ip(IPV4, '11').replace('4500', '4600')} 01010101 d431 0035`,
    '10.10.0.2:54321 > 10.10.0.3:53 udp',
  ],
  [
    'a later fragment',
    `${MACS} 0800 ${ip(IPV4, '11').replace('4000', '00b9')}`,
    '10.10.0.2 > 10.10.0.3 fragment at 1480',
  ],
  [
    'UDP over IPv6',
    `${MACS} 86dd ${ip(IPV6, '11')} d431 0035 0008 0000`,
    '[fd00::2]:54321 > [fd00::3]:53 udp',
  ],
  [
    'neighbour solicitation',
    `${MACS} 86dd ${ip(IPV6, '3a')} 8700 0000`,
    'fd00::2 > fd00::3 icmpv6 type 135 code 0',
  ],
  [
    'VXLAN',
    `${MACS} 0800 ${ip(IPV4, '11')} c000 12b5 0020 0000 08000000 00100000`,
    '10.10.0.2:49152 > 10.10.0.3:4789 udp vxlan vni 4096',
  ],
  [
    'an ARP request',
    `${MACS} 0806 0001 0800 06 04 0001 020000000001 0a0a0002 000000000000 0a0a0003`,
    'arp who has 10.10.0.3, tell 10.10.0.2',
  ],
  [
    'an ARP reply',
    `${MACS} 0806 0001 0800 06 04 0002 020000000001 0a0a0002 020000000002 0a0a0003`,
    'arp 10.10.0.2 is at 02:00:00:00:00:01',
  ],
  ['another Ethernet type', `${MACS} 88cc 0207`, 'type 0x88cc'],
  ['IPv4 cut short', `${MACS} 0800 4500`, 'ipv4, cut short'],
];

for (const [name, hex, summary] of rows) {
  test(`${name}: ${summary}`, () => {
    assert.is(summarize(bytes(hex)), `${SHOWN} ${summary}`);
  });
}

test('a frame that is cut anywhere is summarized all the same', () => {
  for (const [name, hex] of rows) {
    const frame = bytes(hex);
    for (let length = 0; length <= frame.length; length++) {
      assert.type(summarize(frame.subarray(0, length)), 'string', `${name} at ${length}`);
    }
  }
});

function bytes(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
}

test.run();
