/*
 * A process that sends one frame as fast as a processor can: live frames of BPF_PROG_TEST_RUN, which a program redirects
 * out of a device, as xdp-trafficgen does. There is no skb on this side, and behind a veth none on the other either.
 *
 *     node generator.js NETNS DEVICE FRAME       the frame in hexadecimal
 *
 * It sends while its parent has said 'start', and ends with it.
 */
import { fileURLToPath } from 'node:url';
import { interfaceIndex, openObject } from 'libbpf-ts-bindings';

export const GENERATE_OBJECT = fileURLToPath(new URL('../../../bpf/generate.o', import.meta.url));

/** A run, which cannot be interrupted, takes some 20 ms. */
const FRAMES = 1 << 16;
const BATCH = 64;

async function main([netns = '', device = '', frame = '']: readonly string[]): Promise<void> {
  const object = openObject(GENERATE_OBJECT);
  const ifindex = interfaceIndex(device, netns);
  object.setRodata({ out_ifindex: ifindex });
  for (const spec of object.programs.values()) spec.autoload = spec.name === 'generate';
  await object.load();
  const program = object.program('generate');
  const options = { data: Buffer.from(frame, 'hex'), ifindex, netns, live: true } as const;
  let sending = false;
  const send = (): void => {
    if (!sending) return;
    program.testRun({ ...options, repeat: FRAMES, batchSize: BATCH });
    setImmediate(send);
  };
  process.on('message', (word) => {
    sending = word === 'start';
    send();
  });
  process.on('disconnect', () => process.exit(0));
  process.send?.('ready');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2));
