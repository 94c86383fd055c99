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
  if (drops.length === 0) say('nothing was dropped');
  const tables: [string, CounterAnswer[]][] = [
    ['DROPPED', drops],
    ['COUNTED', events],
  ];
  const filled = tables.filter(([, counters]) => counters.length > 0);
  print(filled.map(([title, counters]) => formatTable(columns(title), counters)).join('\n'));
}

async function followDrops({ format }: DropsFlags, command: Command): Promise<void> {
  for await (const drop of clientOf(command).lines<DropAnswer>('/v1/drops/follow')) {
    print(format === 'json' ? JSON.stringify(drop) : describeDrop(drop));
  }
}

/** Who talked to whom comes right after the reason: that is what somebody who watches is after. */
export function describeDrop(drop: DropAnswer): string {
  const { time, reason, summary, vni, length, hook, ifname, ifindex, description } = drop;
  const network = vni === 0 ? '' : `, vni ${vni}`;
  const where = `${hook} on ${ifname ?? `interface ${ifindex}`}`;
  return `${time} ${reason}: ${summary}${network}, ${length} bytes, ${where} (${description})`;
}

function columns(title: string): Column<CounterAnswer>[] {
  return [
    { title, text: ({ name }) => name },
    { title: 'PACKETS', text: ({ packets }) => String(packets), align: 'right' },
    { title: 'BYTES', text: ({ bytes }) => String(bytes), align: 'right' },
    { title: 'MEANING', text: ({ description }) => description },
  ];
}
