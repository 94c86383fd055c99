/*
 * Numbers that are good once, for a while. Handing one out costs no memory, so that nobody can push out another's by asking for
 * thousands: it carries its own end and a MAC of it, by a key that lives as long as this process.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

const PATTERN = /^(\d{1,16})\.([0-9a-f]{24})\.([0-9a-f]{32})$/;
/** Used ones that are remembered: more joins than that do not happen in a nonce's life. */
const KEPT = 65_536;

export class Nonces {
  readonly #key = randomBytes(32);
  readonly #lifeMs: number;
  readonly #now: () => number;
  /** In the order in which they were used. */
  readonly #used = new Map<string, number>();

  constructor(lifeMs: number, now: () => number = Date.now) {
    this.#lifeMs = lifeMs;
    this.#now = now;
  }

  make(): string {
    const text = `${this.#now() + this.#lifeMs}.${randomBytes(12).toString('hex')}`;
    return `${text}.${this.#mac(text)}`;
  }

  /** True the first time, while it lives. */
  use(nonce: string): boolean {
    const [, end = '', random = '', mac = ''] = PATTERN.exec(nonce) ?? [];
    const own = this.#mac(`${end}.${random}`);
    const isOurs = mac.length === own.length && timingSafeEqual(Buffer.from(mac), Buffer.from(own));
    if (!isOurs || Number(end) < this.#now() || this.#used.has(nonce)) return false;
    this.#used.set(nonce, Number(end));
    for (const [old, ends] of this.#used) {
      if (ends >= this.#now() && this.#used.size <= KEPT) break;
      this.#used.delete(old);
    }
    return true;
  }

  #mac(text: string): string {
    return createHmac('sha256', this.#key).update(text).digest('hex').slice(0, 32);
  }
}
