// Steps of a story, each told in a line with its seconds. What follows a failed one is not tried.

export class Steps {
  #passed = 0;
  #failed = 0;
  readonly #started = Date.now();

  async step<T>(name: string, work: () => Promise<T>): Promise<T> {
    const started = Date.now();
    try {
      const result = await work();
      this.#passed += 1;
      this.#tell('ok    ', started, name);
      return result;
    } catch (error) {
      this.#failed += 1;
      this.#tell('FAILED', started, name);
      throw error;
    }
  }

  /** Something between two steps went wrong. */
  broken(): void {
    if (this.#failed === 0) this.#failed = 1;
  }

  /** The last line, and the exit code that fits. */
  summary(): number {
    const seconds = Math.round((Date.now() - this.#started) / 1000);
    console.log(`${seconds} s in all`);
    console.log(`${this.#passed} passed, ${this.#failed} failed`);
    return this.#failed > 0 || this.#passed === 0 ? 1 : 0;
  }

  #tell(outcome: string, started: number, name: string): void {
    const seconds = ((Date.now() - started) / 1000).toFixed(1).padStart(6);
    console.log(`${seconds} s  ${outcome}  ${name}`);
  }
}
