/*
 * What a kernel `vxlan` device (Linux 6.18, VNI 4096, port 4789) sends for `ping -c1 -s16 10.10.0.2`, captured on its
 * underlay. Only the outer destination MAC was changed, to that of the test device. One line each for outer Ethernet,
 * outer IP, UDP with VXLAN, inner Ethernet, inner IP, ICMP.
 */
import { hex } from './bytes.js';

interface Capture {
  name: string;
  frame: Buffer;
  /** Where the inner frame begins. */
  inner: number;
}

export const captures: readonly Capture[] = [
  {
    name: 'IPv4 underlay, no UDP checksum',
    inner: 50,
    frame: hex(`000000000000 020000000a02 0800
      45 00 005e db3b 0000 40 11 1b50 c0000202 c0000201
      9944 12b5 004a 0000 08000000 00100000
      020000000001 020000000003 0800
      45 00 002c bf2f 4000 40 01 6788 0a0a0004 0a0a0002
      0800 1c0e 10f8 0001 c9fc026b00000000f990050000000000`),
  },
  {
    name: 'IPv4 underlay, UDP checksum',
    inner: 50,
    frame: hex(`000000000000 020000000a02 0800
      45 00 005e dcba 0000 40 11 19d1 c0000202 c0000201
      9944 12b5 004a bb48 08000000 00100000
      020000000001 020000000003 0800
      45 00 002c c1d3 4000 40 01 64e4 0a0a0004 0a0a0002
      0800 d561 1420 0001 ccfc026b00000000fdfe0c0000000000`),
  },
  {
    name: 'IPv6 underlay, no UDP checksum',
    inner: 70,
    frame: hex(`000000000000 020000000a02 86dd
      60000000 004a 11 40 20010db8000000000000000000000002 20010db8000000000000000000000001
      9944 12b5 004a 0000 08000000 00100000
      020000000001 020000000003 0800
      45 00 002c c51d 4000 40 01 619a 0a0a0004 0a0a0002
      0800 6cce 11cb 0001 d0fc026b00000000a2fd030000000000`),
  },
  {
    name: 'IPv6 underlay, UDP checksum',
    inner: 70,
    frame: hex(`000000000000 020000000a02 86dd
      60000000 004a 11 40 20010db8000000000000000000000002 20010db8000000000000000000000001
      9944 12b5 004a e3d7 08000000 00100000
      020000000001 020000000003 0800
      45 00 002c c6b7 4000 40 01 6000 0a0a0004 0a0a0002
      0800 a55d 1251 0001 d3fc026b000000005fe80a0000000000`),
  },
];
