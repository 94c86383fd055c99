import type { Command } from 'commander';
import type { JoinTokenAnswer } from '../../model/api-trust.js';
import { print } from '../../output/print.js';
import type { JoinTokenFlags } from '../join-token.js';
import { clientOf } from './common.js';

export async function joinToken(
  role: 'worker' | 'manager',
  { rotate = false, quiet = false }: JoinTokenFlags,
  command: Command,
): Promise<void> {
  const client = clientOf(command);
  const answer = rotate
    ? await client.post<JoinTokenAnswer>(`/v1/join-tokens/${role}/rotate`, {})
    : await client.get<JoinTokenAnswer>(`/v1/join-tokens/${role}`);
  print(quiet ? answer.token : joinLines(role, answer));
}

export function joinLines(role: 'worker' | 'manager', { token, managers }: JoinTokenAnswer): string {
  return `To add a ${role}, run this on the other host:\n\n    plait join --token ${token} ${managers.join(' ')}\n`;
}
