/* Whether etcd answers, for the status and for those who wait to write. Told by everybody who talks to it. */

export class StoreHealth {
  #state: 'connected' | 'unreachable' = 'unreachable';
  #lastContact: Date | undefined;
  #error: string | null = null;
  #onRecovered: (() => void)[] = [];

  get state(): 'connected' | 'unreachable' {
    return this.#state;
  }

  get lastContact(): Date | undefined {
    return this.#lastContact;
  }

  /** Why it is unreachable; null when it is not, or was not asked yet. */
  get error(): string | null {
    return this.#error;
  }

  /** Calls back each time that etcd answers again, the first time included. */
  onRecovered(callback: () => void): void {
    this.#onRecovered.push(callback);
  }

  contact(): void {
    this.#lastContact = new Date();
    if (this.#state === 'connected') return;
    this.#state = 'connected';
    this.#error = null;
    for (const callback of this.#onRecovered) callback();
  }

  /** True when it was not known before. */
  lost(error: Error): boolean {
    const isNews = this.#error === null;
    this.#state = 'unreachable';
    this.#error = error.message;
    return isNews;
  }
}
