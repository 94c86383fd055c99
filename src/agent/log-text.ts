/* Log lines for a person at a terminal: time, level, message, the rest as key=value. */

interface Sink {
  write(text: string): unknown;
}

const levels: Record<number, string> = {
  10: 'TRACE',
  20: 'DEBUG',
  30: 'INFO',
  40: 'WARN',
  50: 'ERROR',
  60: 'FATAL',
};

/** Takes the JSON lines that the logger writes. */
export function textLines(sink: Sink): Sink {
  return { write: (line) => sink.write(`${textLine(line)}\n`) };
}

export function textLine(line: string): string {
  const { level, time, msg, err, ...rest } = JSON.parse(line) as Record<string, unknown>;
  const fields = Object.entries(rest).map(([key, value]) => ` ${key}=${valueText(value)}`);
  const clock = String(time).slice(11, 23);
  return `${clock} ${levels[Number(level)] ?? level} ${msg ?? ''}${fields.join('')}${errorText(err)}`;
}

function valueText(value: unknown): string {
  return typeof value === 'string' && !/[\s"]/.test(value) ? value : JSON.stringify(value);
}

/** The message; the stack only of what is nobody's expected failure. */
function errorText(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('message' in error)) return '';
  const isExpected = 'code' in error;
  return `: ${error.message}${!isExpected && 'stack' in error ? `\n${error.stack}` : ''}`;
}
