import type { Command } from 'commander';
import type { AuthorityAnswer } from '../../model/api-trust.js';
import { print, printJson } from '../../output/print.js';
import type { ShowAuthorityFlags } from '../ca.js';
import { clientOf } from './common.js';

export async function showAuthority({ format, pem }: ShowAuthorityFlags, command: Command): Promise<void> {
  const answer = await clientOf(command).get<AuthorityAnswer>('/v1/ca');
  if (pem) print(answer.certificates.map((certificate) => certificate.trim()).join('\n'));
  else if (format === 'json') printJson(answer);
  else {
    print(`digest   ${answer.digest}`);
    print(`ends     ${answer.notAfter}`);
    if (answer.isRotating)
      print('the CA before this one is trusted, too, until every node has a new certificate');
  }
}
