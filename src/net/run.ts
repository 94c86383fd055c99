/*
 * The one place that starts other programs. Arguments are passed as a list, never through a shell; what goes wrong
 * becomes one line that says what was tried and what the program said about it.
 */
import { execFile } from 'node:child_process';
import { PlaitError } from '../model/errors.js';
import { patience } from '../patience.js';

export interface RunOptions {
  /** What is being done, as "verb object": the start of the error message. */
  readonly doing: string;
  readonly stdin?: string;
  /** Milliseconds; 10 s when left out. */
  readonly timeout?: number;
  /** Path of a network namespace to run in. `ip netns exec` would also change the mount namespace. */
  readonly netns?: string | undefined;
  /** A failing exit status is fine: the program says what it could. It must still start and end in time. */
  readonly partial?: boolean;
}

/** A program failed. `stderr` is all it said; `status` its exit code, or undefined when it was killed or missing. */
export class CommandFailed extends PlaitError {
  constructor(
    doing: string,
    cause: string,
    readonly stderr: string,
    readonly status: number | undefined,
    /** Lines of a batch are counted from 1. */
    readonly line: number | undefined,
  ) {
    super('COMMAND_FAILED', `${doing}: ${cause}`);
  }
}

const DEFAULT_TIMEOUT = patience(10_000);
const MAX_OUTPUT = 64 * 1024 * 1024;

/** Runs the program to its end and returns its standard output. */
export function run(command: string, args: readonly string[], options: RunOptions): Promise<string> {
  const [file, argv] = options.netns ? inNamespace(options.netns, command, args) : [command, args];
  const timeout = options.timeout ?? DEFAULT_TIMEOUT;
  return new Promise((resolve, reject) => {
    const child = execFile(
      file,
      argv,
      { timeout, killSignal: 'SIGKILL', maxBuffer: MAX_OUTPUT, env: { ...process.env, LC_ALL: 'C' } },
      (error, stdout, stderr) => {
        if (error && !(options.partial && typeof error.code === 'number')) {
          reject(failure(command, options.doing, error, stderr, timeout));
        } else resolve(stdout);
      },
    );
    child.stdin?.on('error', () => {}); // it ended before it read everything: its exit status tells
    child.stdin?.end(options.stdin ?? '');
  });
}

function inNamespace(netns: string, command: string, args: readonly string[]): [string, readonly string[]] {
  return ['nsenter', [`--net=${netns}`, '--', command, ...args]];
}

type ExecError = Error & { code?: string | number | null; killed?: boolean; signal?: string | null };

function failure(
  command: string,
  doing: string,
  error: ExecError,
  stderr: string,
  timeout: number,
): CommandFailed {
  const line = /^Command failed -:(\d+)$/m.exec(stderr)?.[1];
  const status = typeof error.code === 'number' ? error.code : undefined;
  return new CommandFailed(
    doing,
    causeOf(command, error, stderr, timeout),
    stderr,
    status,
    line ? Number(line) : undefined,
  );
}

function causeOf(command: string, error: ExecError, stderr: string, timeout: number): string {
  if (error.code === 'ENOENT') return `${command} is not installed`;
  if (error.killed) return `${command} took more than ${timeout / 1000} s`;
  return telling(stderr) ?? `${command} ended with ${error.signal ?? `status ${error.code}`}`;
}

/** The line of a program's complaint that names the cause: the kernel's answer where there is one. */
function telling(stderr: string): string | undefined {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('Command failed'));
  const answer = lines.findLast((line) => /^(RTNETLINK answers|Error):/.test(line)) ?? lines[0];
  return answer?.replace(/^(RTNETLINK answers|Error): /, '').trim();
}
