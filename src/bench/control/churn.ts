/*
 * Endpoints that come and go: at each tick one is attached and the oldest one detached, whether or not those before
 * have been served, so that an agent that is slow makes the figures worse and not the load lighter.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { now } from './clock.js';
import type { Seat } from './plan.js';

/** What the churn asks of agents. */
export interface Hands {
  /** Resolves with the endpoint's id, and when etcd had it. */
  attach(seat: Seat, endpoint: number): Promise<{ id: string; at: number }>;
  detach(seat: Seat, id: string): Promise<void>;
}

export interface Attached {
  readonly seat: Seat;
  /** When it was asked for, ms. */
  readonly askedAt: number;
  /** When etcd had it, ms. */
  readonly storedAt: number;
}

export interface Churned {
  /** By number. */
  readonly attached: ReadonlyMap<number, Attached>;
  readonly detached: number;
  /** Of requests that were refused. */
  readonly failures: readonly string[];
  readonly seconds: number;
  /** Those that are there at the end. */
  readonly present: readonly Seat[];
}

interface Present {
  readonly seat: Seat;
  readonly id: string;
}

export interface ChurnOptions {
  readonly rate: number;
  readonly seconds: number;
  /** Where endpoints are attached. */
  readonly seats: Iterator<Seat>;
  /** Those that are there before, the oldest first. */
  readonly present: readonly Present[];
  readonly signal: AbortSignal;
}

export async function churn(hands: Hands, options: ChurnOptions): Promise<Churned> {
  const { rate, seconds, seats, signal } = options;
  const present = [...options.present];
  const attached = new Map<number, Attached>();
  const failures: string[] = [];
  const pending = new Set<Promise<void>>();
  let detached = 0;
  const watch = (work: Promise<void>): void => {
    const noted = work
      .catch((error: Error) => void failures.push(error.message))
      .finally(() => pending.delete(noted));
    pending.add(noted);
  };
  const attach = async (seat: Seat, endpoint: number): Promise<void> => {
    const askedAt = now();
    const { id, at } = await hands.attach(seat, endpoint);
    attached.set(endpoint, { seat, askedAt, storedAt: at });
    present.push({ seat, id });
  };
  const detach = async ({ seat, id }: Present): Promise<void> => {
    await hands.detach(seat, id);
    detached += 1;
  };

  const started = now();
  for (let tick = 0; tick < rate * seconds; tick++) {
    const wait = started + (tick * 1000) / rate - now();
    if (wait > 0) await sleep(wait, undefined, { signal });
    signal.throwIfAborted();
    const oldest = present.shift();
    if (oldest) watch(detach(oldest));
    const { value: seat } = seats.next();
    watch(attach(seat, tick));
  }
  await Promise.all(pending);
  const took = (now() - started) / 1000;
  return { attached, detached, failures, seconds: took, present: present.map(({ seat }) => seat) };
}
