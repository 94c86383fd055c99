import type { Command } from 'commander';
import type { CounterAnswer, DropAnswer, DropsAnswer } from '../../model/api.js';
import { print, printJson, say } from '../../output/print.js';
import { type Column, formatTable } from '../../output/table.js';
import type { DropsFlags } from '../drops.js';
import { clientOf } from './common.js';

export async function showDrops(flags: DropsFlags, command: Command): Promise<void> {
  if (flags.follow) return followDrops(flags, command);
  const answer = await clientOf(command).get<DropsAnswer>('/v1/drops');
  if (flags.format === 'json') return printJson(answer);

  const seen = (counters: CounterAnswer[]) => counters.filter(({ packets }) => flags.all || packets > 0);
  const drops = seen(answer.drops);
  const events = seen(answer.events);
  if (drops.length > 0) print(formatTable(columns('DROPPED'), drops));
  else say('nothing was dropped');
  if (events.length > 0) print(`\n${formatTable(columns('COUNTED'), events)}`);
}

async function followDrops({ format }: DropsFlags, command: Command): Promise<void> {
  for await (const drop of clientOf(command).lines<DropAnswer>('/v1/drops/follow')) {
    print(format === 'json' ? JSON.stringify(drop) : describe(drop));
  }
}

function describe({
  time,
  reason,
  description,
  hook,
  ifname,
  ifindex,
  vni,
  length,
  head,
}: DropAnswer): string {
  const where = `${hook} on ${ifname ?? `interface ${ifindex}`}`;
  const network = vni === 0 ? '' : `, vni ${vni}`;
  return `${time} ${reason} (${description}) at ${where}${network}, ${length} bytes: ${head}`;
}

function columns(title: string): Column<CounterAnswer>[] {
  return [
    { title, text: ({ name }) => name },
    { title: 'PACKETS', text: ({ packets }) => String(packets), align: 'right' },
    { title: 'BYTES', text: ({ bytes }) => String(bytes), align: 'right' },
    { title: 'MEANING', text: ({ description }) => description },
  ];
}
