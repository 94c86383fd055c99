/* What becomes of etcd's majority when a manager goes, in words, before it goes. */
import { PlaitError } from '../../model/errors.js';

/** A manager with a vote. */
export interface Voter {
  readonly node: string;
  readonly name: string;
  readonly isUp: boolean;
}

export class LastManager extends PlaitError {
  constructor(doing: string) {
    super('LAST_MANAGER', `${doing}: it is the only manager, and the cluster ends with it`, {
      hint: 'promote another node first, or use --force to end the cluster',
    });
  }
}

export class QuorumAtRisk extends PlaitError {
  constructor(doing: string, up: number, left: number, down: readonly string[]) {
    const needed = majority(left);
    super(
      'QUORUM_AT_RISK',
      `${doing}: of the ${left} manager(s) left, ${up} would be up, and ${needed} are needed to change anything` +
        ` (down: ${down.join(', ')})`,
      { hint: 'bring those back or `plait node rm --force` them first; --force goes on all the same' },
    );
  }
}

/** How many of so many voters have to agree. */
export function majority(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

/** Throws LastManager. */
export function checkLast(doing: string, managers: readonly Voter[], node: string): void {
  const isManager = managers.some((manager) => manager.node === node);
  if (isManager && managers.length === 1) throw new LastManager(doing);
}

/** Throws LastManager, QuorumAtRisk. A manager that is no voter has no say, and goes unasked. */
export function checkRemoval(doing: string, voters: readonly Voter[], node: string): void {
  if (!voters.some((voter) => voter.node === node)) return;
  const left = voters.filter((voter) => voter.node !== node);
  if (left.length === 0) throw new LastManager(doing);
  const down = left.filter(({ isUp }) => !isUp).map(({ name }) => name);
  const up = left.length - down.length;
  if (up < majority(left.length)) throw new QuorumAtRisk(doing, up, left.length, down);
}
