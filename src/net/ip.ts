/* iproute2: questions in JSON, changes in batches, so that a whole interface costs one process. */
import { InvalidInput } from '../model/errors.js';
import { type RunOptions, run } from './run.js';

export interface Link {
  readonly ifindex: number;
  readonly ifname: string;
  readonly mtu: number;
  readonly flags: readonly string[];
  readonly address?: string;
  /** Name of the bridge that it is a port of. */
  readonly master?: string;
  /** The peer's ifindex and, where it has a name, its namespace. */
  readonly link_index?: number;
  readonly link_netnsid?: number;
  readonly inet6_addr_gen_mode?: string;
  readonly linkinfo?: { readonly info_kind?: string; readonly info_data?: Readonly<Record<string, unknown>> };
}

export interface AddressInfo {
  readonly family: 'inet' | 'inet6';
  readonly local: string;
  readonly prefixlen: number;
}

export interface LinkAddresses {
  readonly ifindex: number;
  readonly ifname: string;
  readonly mtu: number;
  readonly addr_info: readonly AddressInfo[];
}

export interface RouteInfo {
  readonly type?: string;
  readonly dst: string;
  readonly gateway?: string;
  /** A next hop of another family (RFC 5549). */
  readonly via?: { readonly family: string; readonly host: string };
  readonly dev?: string;
  readonly prefsrc?: string;
  readonly table?: string;
  readonly protocol?: string;
  /** IPv6 routes only. */
  readonly pref?: string;
  readonly metrics?: readonly { readonly mtu?: number }[];
  /** Of a route by several ways, which has no `dev` of its own. */
  readonly nexthops?: readonly { readonly gateway?: string; readonly dev?: string }[];
}

/** The device of the route, of several the first. Some, such as unreachable ones, have none. */
export function routeDevice({ dev, nexthops }: RouteInfo): string | undefined {
  return dev ?? nexthops?.find((hop) => hop.dev !== undefined)?.dev;
}

/** Runs one `ip -j` question. An empty answer (no such rows) is an empty list. */
export async function ipQuery<T>(args: readonly string[], options: RunOptions): Promise<T[]> {
  const output = await run('ip', ['-j', ...args], options);
  return output.trim() === '' ? [] : parseDocuments<T>(output).flat();
}

/**
 * A word of a batch line from outside. In a batch `#` begins a comment, wherever it stands, and there is no way to
 * write a quote: such names are refused.
 */
export function batchWord(text: string): string {
  if (/["'#\\\r\n]/.test(text)) {
    throw new InvalidInput(
      `use name ${JSON.stringify(text)}: quotes, "#", "\\" and line ends are not possible`,
    );
  }
  return /\s/.test(text) ? `"${text}"` : text;
}

/** Runs lines as one batch. The first that fails ends it; those before it stay done. */
export async function ipBatch(lines: readonly string[], options: RunOptions): Promise<void> {
  if (lines.length === 0) return;
  await run('ip', ['-batch', '-'], { ...options, stdin: `${lines.join('\n')}\n` });
}

/** Runs questions as one batch, goes on after those that fail, and returns the rows of all that did not. */
export async function ipQueries<T>(
  questions: readonly string[],
  options: RunOptions & { readonly details?: boolean },
): Promise<T[]> {
  if (questions.length === 0) return [];
  const stdin = `${questions.join('\n')}\n`;
  const details = options.details ? ['-d'] : [];
  const output = await run('ip', ['-j', ...details, '-force', '-batch', '-'], {
    ...options,
    stdin,
    partial: true,
  });
  return parseDocuments<T>(output).flat();
}

/** iproute2 6.1 prints each answer of a batch as a JSON document of its own, one per line. */
function parseDocuments<T>(output: string): T[][] {
  return output
    .split('\n')
    .filter((line) => line.startsWith('['))
    .map((line) => JSON.parse(line) as T[]);
}
