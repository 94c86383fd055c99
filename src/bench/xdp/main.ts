/*
 * `npm run bench:xdp`: how fast bad VXLAN is dropped by nftables, by tc and by XDP, and how fast good VXLAN gets into a
 * container by tc and by XDP, side by side on one device.
 */
import { release } from 'node:os';
import { parseArgs } from 'node:util';
import { measure } from './measure.js';
import { BAD_PACKETS, goodPacket } from './packets.js';
import { Places } from './places.js';
import { table } from './report.js';
import { Stage } from './stage.js';

const { values } = parseArgs({
  options: {
    repetitions: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1' },
    /** JSON alone, on standard output. */
    json: { type: 'boolean', default: false },
  },
});
const [repetitions, seconds] = [Number(values.repetitions), Number(values.seconds)];
if (!(repetitions >= 1 && seconds > 0))
  throw new Error('measure XDP: give --repetitions and --seconds above 0');

/** Bytes of the datagrams that are delivered; even. */
const SIZES = [64, 1400];

const stage = new Stage();
const giveUp = (): void => void stage.remove().finally(() => process.exit(130));
process.once('SIGINT', giveUp).once('SIGTERM', giveUp);

try {
  await stage.build();
  const places = await Places.load(stage);
  const progress = (step: string): void => void process.stderr.write(`${step}\n`);
  const options = { repetitions, seconds, progress };
  const rows = await measure(stage, BAD_PACKETS, places.drops(), options);
  const deliveries = await measure(stage, SIZES.map(goodPacket), places.deliveries(), options);
  places.close();
  if (values.json) console.log(JSON.stringify({ kernel: release(), repetitions, seconds, rows, deliveries }));
  else {
    const how = `median (lowest–highest) of ${repetitions} × ${seconds} s, frames without an skb over a veth, Linux ${release()}`;
    console.log(`\n${how}\n\n${table(rows, 'drops')}\n${table(deliveries, 'deliveries')}`);
  }
} finally {
  await stage.remove();
}
