// In a guest: attaches a counting XDP program to a device natively, and takes it off when a file appears.
//
//     node xdp.mjs DEVICE FILE      prints "attached ID", later "counted PACKETS"
import { existsSync } from 'node:fs';
import { attachXdp, interfaceIndex, openObject, u32, u64 } from '/media/plait/addon/dist/lib/index.js';

const RED = 0;
const object = openObject('/media/plait/xdp.bpf.o');
for (const program of object.programs.values()) program.autoload = program.name === 'pass_xdp';
await object.load();
const program = object.program('pass_xdp');
const link = attachXdp(program, { ifindex: interfaceIndex(process.argv[2]), mode: 'native' });
console.log(`attached ${program.id}`);
const ended = setInterval(() => {
  if (!existsSync(process.argv[3])) return;
  clearInterval(ended);
  link.close();
  const perCpu = object.map('color_counts').typedPerCpu(u32, u64).get(RED) ?? [];
  console.log(`counted ${perCpu.reduce((sum, count) => sum + count, 0n)}`);
  object.close();
}, 20);
