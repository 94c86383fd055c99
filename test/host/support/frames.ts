// Frames for raw.py, byte by byte.

/** An Ethernet frame for this MAC. */
export type Frame = (mac: string) => Buffer;

const hex = (text: string): Buffer => Buffer.from(text.replace(/[^0-9a-f]/gi, ''), 'hex');

/** VXLAN for 192.0.2.1 with VNI 5000 from 192.0.2.66: well formed, 64 bytes inside, and nobody's. */
export const strangeVxlan: Frame = (mac) =>
  Buffer.concat([
    hex(mac),
    hex(`02000000 0a66 0800
      45000072 00010000 4011f636 c0000242 c0000201 c350 12b5 005e 0000 08000000 00138800
      020000000001 020000000003 0800`),
    Buffer.alloc(64),
  ]);
