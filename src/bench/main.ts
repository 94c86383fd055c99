/* `npm run bench:compare`: builds a lab of its own, measures, prints a table and JSON, leaves nothing. */
import { release } from 'node:os';
import { parseArgs } from 'node:util';
import { Lab } from '../lab/lab.js';
import { compare, PLAIN_HOSTS, setUpRoutes } from './compare.js';
import { table } from './report.js';

const { values } = parseArgs({
  options: {
    repetitions: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    /** 0: only the two baselines. */
    nodes: { type: 'string', default: '2' },
    /** JSON alone, on standard output. */
    json: { type: 'boolean', default: false },
  },
});

const name = `bench${process.pid}`;
const progress = (step: string): void => void process.stderr.write(`${step}\n`);
const giveUp = (): void => void Lab.remove(name).finally(() => process.exit(130));
process.once('SIGINT', giveUp).once('SIGTERM', giveUp);

const lab = await Lab.up({ name, nodes: Number(values.nodes), plainHosts: [...PLAIN_HOSTS], progress });
try {
  const [repetitions, seconds] = [Number(values.repetitions), Number(values.seconds)];
  const rows = await compare(lab, await setUpRoutes(lab), { repetitions, seconds, progress });
  if (!values.json)
    console.log(`\nmedian (lowest–highest) of ${repetitions} runs, veth underlay, Linux ${release()}\n`);
  if (!values.json) console.log(`${table(rows)}\n`);
  console.log(JSON.stringify({ kernel: release(), underlay: 'veth', repetitions, seconds, rows }));
} catch (error) {
  process.stderr.write(`${lab.transcript.slice(-20).join('')}\n`);
  throw error;
} finally {
  await lab.down();
}
