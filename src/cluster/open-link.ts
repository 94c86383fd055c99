/* The way to the cluster, of the kind that this host has. */
import type { Logger } from 'pino';
import { PlaitError } from '../model/errors.js';
import { readCredentials } from './credentials.js';
import { readExternalEtcd } from './etcd/external.js';
import { type ClusterLink, type ClusterSource, plainLink } from './link.js';

export interface LinkContext {
  /** State directory. */
  readonly state: string;
  /** Id of this node. */
  readonly id: string;
  readonly notices: Map<string, string>;
  readonly log: Logger;
}

export async function openLink(source: ClusterSource, context: LinkContext): Promise<ClusterLink> {
  const { state, log } = context;
  if (source.kind === 'etcd') {
    if (source.urls.some((url) => url.startsWith('http:'))) {
      log.warn(
        'etcd without certificates: whoever reaches it rules this network; `plait init` makes a cluster that is safe',
      );
    }
    return plainLink(source.urls);
  }
  const credentials = await readCredentials(state);
  if (credentials === undefined) {
    throw new PlaitError(
      'NO_CREDENTIALS',
      `start agent: this host is a member of a cluster and has no certificate (${state}/tls)`,
      {
        hint: 'restore the files; or `plait leave --force` and join again',
      },
    );
  }
  // What takes certificates apart is loaded where there are any.
  const { MemberLink } = await import('./member-link.js');
  const externalEtcd = await readExternalEtcd(state);
  return new MemberLink({ ...context, membership: source.membership, credentials, externalEtcd });
}
