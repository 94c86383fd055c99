/* Every place meets every packet, in an order that rotates with each repetition. */
import { setTimeout as sleep } from 'node:timers/promises';
import { patience } from '../../patience.js';
import { type Summary, summarise } from '../statistics.js';
import type { Packet } from './packets.js';
import type { Place } from './places.js';
import type { Stage } from './stage.js';

export interface MeasureOptions {
  readonly repetitions: number;
  /** Of one measurement. */
  readonly seconds: number;
  readonly progress?: (step: string) => void;
}

export interface Row {
  readonly packet: string;
  readonly place: string;
  readonly kind: Place['kind'];
  /** Packets dropped, or delivered, in a second of processor time: what one core could do. */
  readonly perCoreSecond: Summary;
  /** The same per second by the clock. Where the generator is slower than the place, that is the generator's rate. */
  readonly perSecond: Summary;
  /** How much of its processor receiving used, 0 to 1. */
  readonly busy: Summary;
}

interface Sample {
  readonly perCoreSecond: number;
  readonly perSecond: number;
  readonly busy: number;
}

export async function measure<P extends Packet>(
  stage: Stage,
  packets: readonly P[],
  places: readonly Place<P>[],
  { repetitions, seconds, progress }: MeasureOptions,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const packet of packets) {
    const samples = new Map<Place<P>, Sample[]>(places.map((place) => [place, []]));
    await stage.load(packet.frame);
    for (let repetition = 0; repetition < repetitions; repetition += 1) {
      progress?.(`${packet.name}: ${repetition + 1} of ${repetitions}`);
      for (const index of places.keys()) {
        const place = places[(index + repetition) % places.length];
        if (place) samples.get(place)?.push(await measureOne(stage, place, packet, seconds));
      }
    }
    for (const [place, taken] of samples) rows.push(rowOf(packet, place, taken));
  }
  return rows;
}

/** So many at first are not counted: caches fill, and the thread comes to its processor. So many at least are then. */
const ENOUGH = 10_000;
const PATIENCE_MS = 10_000;

async function measureOne<P extends Packet>(
  stage: Stage,
  place: Place<P>,
  packet: P,
  seconds: number,
): Promise<Sample> {
  const takeAway = await place.setUp(packet);
  try {
    await stage.pinReceiver();
    stage.send('start');
    await enough(place, await place.count());
    const before = await read(stage, place);
    await sleep(seconds * 1000);
    await enough(place, before.count); // on a machine that is busy with other things
    const after = await read(stage, place);
    const [count, busy, clock] = [
      after.count - before.count,
      (after.busy - before.busy) / 1e9,
      (after.clock - before.clock) / 1e3,
    ];
    return { perCoreSecond: count / busy, perSecond: count / clock, busy: busy / clock };
  } finally {
    stage.send('stop');
    await takeAway();
  }
}

type Counting = Pick<Place, 'name' | 'kind' | 'count'>;

async function enough(place: Counting, first: number): Promise<void> {
  for (const end = Date.now() + patience(PATIENCE_MS); Date.now() < end; await sleep(20)) {
    if ((await place.count()) - first >= ENOUGH) return;
  }
  throw new Error(`measure ${place.name}: the packets do not get there`);
}

async function read(stage: Stage, place: Counting): Promise<{ count: number; busy: number; clock: number }> {
  const count = await place.count();
  return { count, busy: stage.receiverTime(), clock: performance.now() };
}

function rowOf(packet: Packet, { name, kind }: Omit<Counting, 'count'>, samples: readonly Sample[]): Row {
  const of = (field: keyof Sample): Summary => summarise(samples.map((sample) => sample[field]));
  return {
    packet: packet.name,
    place: name,
    kind,
    perCoreSecond: of('perCoreSecond'),
    perSecond: of('perSecond'),
    busy: of('busy'),
  };
}
