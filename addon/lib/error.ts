/**
 * Everything that fails here fails with this: a system call, a verifier, a wrong length, a use after close.
 *
 * `op` says what was attempted ("update map fdb"), `code` and `errno` are the kernel's (EBADF also for a closed map,
 * EINVAL also for a misused argument), `log` is libbpf's and the verifier's whole output where there is one.
 */
export class BpfError extends Error {
  override readonly name = 'BpfError';
  readonly op: string;
  readonly code: string;
  readonly errno: number;
  readonly log?: string;

  constructor(op: string, code: string, errno: number, cause: string, log?: string) {
    super(`${op}: ${cause} (${code})`);
    this.op = op;
    this.code = code;
    this.errno = errno;
    if (log !== undefined) this.log = log;
  }
}

const EINVAL = 22;

/** A misuse that is noticed before the native part is asked. */
export function misuse(op: string, cause: string): BpfError {
  return new BpfError(op, 'EINVAL', EINVAL, cause);
}
