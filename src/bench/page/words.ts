/* What a result was measured on, and how, in words: for people who read the page, the picture, or hear them read. */
import type { BenchResult, Machine } from '../result.js';

/** Such as `Two hosts on one machine, 2 × AMD EPYC 7B13, Linux 6.18.4; underlay veth, MTU 1500`. */
export function machineLine({ machines, underlay, topology }: BenchResult): string {
  const where = topology === 'lab' ? 'Two hosts on one machine' : 'Two machines';
  const [first] = machines;
  const processor = first ? `${processors(first)}, Linux ${first.kernel}` : '';
  return `${where}, ${processor}; underlay ${underlay.driver}, MTU ${underlay.mtu}`;
}

/** The beginning of a sentence, or of a heading. */
export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

export const processors = ({ cpus, processor }: Machine): string => `${cpus} × ${processor}`;

/** Such as `22 November 2026; medians of 7 samples of 3 s`. */
export function runLine({ startedAt, repetitions, seconds }: BenchResult): string {
  return `${day(startedAt)}; ${repetitions === 1 ? 'one sample' : `medians of ${repetitions} samples`} of ${seconds} s`;
}

export function day(startedAt: string): string {
  const written = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeZone: 'UTC' });
  const date = new Date(startedAt);
  return Number.isNaN(date.valueOf()) ? startedAt : written.format(date);
}
