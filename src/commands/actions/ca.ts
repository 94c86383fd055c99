import type { Command } from 'commander';
import type { AuthorityAnswer } from '../../model/api-trust.js';
import { print, printJson } from '../../output/print.js';
import type { AuthorityFlags, ShowAuthorityFlags } from '../ca.js';
import { clientOf } from './common.js';

export async function authority({ rotate = false }: AuthorityFlags, command: Command): Promise<void> {
  if (!rotate) return showAuthority({ format: 'text' }, command);
  const { digest } = await clientOf(command).post<AuthorityAnswer>('/v1/ca/rotate', {});
  print(`The new CA is ${digest}.`);
  print('Nodes get new certificates now; `plait ca show` tells when all have. Join tokens are new, too.');
}

export async function showAuthority({ format, pem }: ShowAuthorityFlags, command: Command): Promise<void> {
  const answer = await clientOf(command).get<AuthorityAnswer>('/v1/ca');
  if (pem) {
    print(answer.certificates.map((certificate) => certificate.trim()).join('\n'));
    return;
  }
  if (format === 'json') {
    printJson(answer);
    return;
  }
  print(`digest   ${answer.digest}`);
  print(`ends     ${answer.notAfter}`);
  if (answer.isRotating)
    print('the CA before this one is trusted, too, until every node has a new certificate');
}
