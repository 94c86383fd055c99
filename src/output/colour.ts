/* Colour for people who want it: on a terminal, unless NO_COLOR (no-color.org) or a dumb terminal says otherwise. */

interface Surroundings {
  readonly isTTY?: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export type Colour = 'red' | 'yellow' | 'green' | 'bold';

const codes: Record<Colour, [number, number]> = {
  red: [31, 39],
  yellow: [33, 39],
  green: [32, 39],
  bold: [1, 22],
};

export function wantsColour({ isTTY, env }: Surroundings): boolean {
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== '') return false;
  return isTTY === true && env.TERM !== 'dumb';
}

export function paint(text: string, colour: Colour): string {
  const { isTTY } = process.stdout;
  if (!wantsColour({ isTTY, env: process.env })) return text;
  const [on, off] = codes[colour];
  return `\u001b[${on}m${text}\u001b[${off}m`;
}
