/*
 * Keeps this node's certificate young: a new key and a new certificate at a random moment in the middle of its life, and
 * nothing restarts for it. Failures are tried again ever sooner as the end comes near; the old one serves meanwhile.
 */
import type { Logger } from 'pino';
import { type Credentials, writeCredentials } from './credentials.js';
import { identityOf } from './pki/identity.js';
import { renewAt, renewalPause } from './pki/renewal.js';
import { createKeyAndRequest } from './pki/request.js';

export interface IssuedCertificate {
  /** PEM: the node's, then what leads to the CA. */
  readonly certificate: string;
  /** PEM: all that are trusted. */
  readonly ca: string;
}

export interface RenewalOptions {
  readonly state: string;
  readonly credentials: Credentials;
  /** Asks for a certificate: the CA itself on a manager, a manager on a worker. */
  readonly issue: (csr: string) => Promise<IssuedCertificate>;
  /** The new ones are on the disk; connections are to be made anew. */
  readonly onRenewed: (credentials: Credentials) => void;
  /** For a person: why there is no new one. */
  readonly notices: Map<string, string>;
  readonly log: Logger;
}

const NOTICE = 'certificate';
/** setTimeout takes no more, ms. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export class Renewal {
  readonly #options: RenewalOptions;
  #credentials: Credentials;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: RenewalOptions) {
    this.#options = options;
    this.#credentials = options.credentials;
    this.#plan();
  }

  get credentials(): Credentials {
    return this.#credentials;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  /** At once, as when the CA or the role is another one. Rejects when it could not be had. */
  async renew(): Promise<void> {
    const { state, issue, onRenewed, notices, log } = this.#options;
    const { key, csr } = await createKeyAndRequest();
    const { certificate, ca } = await issue(csr);
    const credentials = { ca, certificate, key };
    await writeCredentials(state, credentials);
    this.#credentials = credentials;
    onRenewed(credentials);
    notices.delete(NOTICE);
    const { notAfter } = identityOf(certificate);
    log.info({ until: notAfter.toISOString() }, 'this node has a new certificate');
    this.#plan();
  }

  #plan(): void {
    const { notBefore, notAfter } = identityOf(this.#credentials.certificate);
    this.#at(renewAt(notBefore, notAfter).getTime());
  }

  /** @param due Unix time, ms */
  #at(due: number): void {
    if (this.#isClosed) return;
    clearTimeout(this.#timer);
    const wait = Math.max(0, due - Date.now());
    this.#timer = setTimeout(
      () => {
        if (wait > LONGEST_TIMER_MS) this.#at(due);
        else this.#running = this.#try();
      },
      Math.min(wait, LONGEST_TIMER_MS),
    );
  }

  async #try(): Promise<void> {
    const { notices, log } = this.#options;
    try {
      await this.renew();
    } catch (error) {
      const { notAfter } = identityOf(this.#credentials.certificate);
      const cause = error instanceof Error ? error.message : String(error);
      notices.set(
        NOTICE,
        `this node's certificate ends ${notAfter.toISOString()} and is not renewed: ${cause}`,
      );
      log.warn({ reason: cause, until: notAfter.toISOString() }, 'could not renew the certificate');
      this.#at(Date.now() + renewalPause(new Date(), notAfter));
    }
  }
}
