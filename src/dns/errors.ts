import { PlaitError } from '../model/errors.js';

/** A namespace in which 127.0.0.11:53 cannot be had: it is gone, or somebody else has the port. */
export class DnsBindError extends PlaitError {
  constructor(netns: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super('DNS_BIND', `answer names in ${netns}: ${reason}`, { cause });
  }
}
