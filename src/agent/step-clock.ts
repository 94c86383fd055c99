/* Where the time of one operation goes, step by step, in milliseconds. */

export class StepClock {
  readonly steps: Record<string, number> = {};
  #last = performance.now();

  /** The step that ends now; a name that comes again is summed. */
  done(step: string): void {
    const now = performance.now();
    this.steps[step] = Math.round(((this.steps[step] ?? 0) + now - this.#last) * 10) / 10;
    this.#last = now;
  }
}
