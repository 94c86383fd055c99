/* How numbers are written: English, with as many digits as mean something. */

const significant = (minimum: number, maximum: number): Intl.NumberFormat =>
  new Intl.NumberFormat('en', { minimumSignificantDigits: minimum, maximumSignificantDigits: maximum });
const [ticks, short, long] = [significant(1, 3), significant(3, 3), significant(4, 4)];
const twoPlaces = new Intl.NumberFormat('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 });

/** For axes. */
export const tick = (value: number): string => ticks.format(value);

/** For plots: three digits. */
export const brief = (value: number): string => short.format(value);

/** For tables: four digits. */
export const exact = (value: number): string => long.format(value);

/** 1.3 → `1.30×`; nothing → `–`. */
export const times = (ratio: number | null): string => (ratio === null ? '–' : `${twoPlaces.format(ratio)}×`);

/** 0.861 → `86 %`; nothing → `–`. */
export const percent = (share: number | null): string =>
  share === null ? '–' : `${Math.round(100 * share)} %`;

/** `1.12× to 1.94×`, or one of them where both read the same. */
export function range(values: readonly number[], write: (value: number) => string): string {
  const [low, high] = [write(Math.min(...values)), write(Math.max(...values))];
  return low === high ? low : `${low} to ${high}`;
}
