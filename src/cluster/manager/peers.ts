/*
 * Who asks: by the certificate of the connection and by what managers say of the node. TLS lets everybody in, since a server
 * of Node's that refuses a certificate closes without a word; the reason is said here.
 */
import type { TLSSocket } from 'node:tls';
import { PlaitError } from '../../model/errors.js';
import { CertificateMissing, OtherClusterCertificate } from '../pki/errors.js';
import { describeTlsFailure, identityOf } from '../pki/identity.js';
import type { Role } from '../pki/records.js';
import type { Spec } from '../records.js';

/** A member of the cluster. */
export interface Peer {
  /** Id of the node. */
  readonly node: string;
  /** What it may do: the lesser of what its certificate and its spec say. */
  readonly role: Role;
}

export interface Members {
  readonly cluster: string;
  /** Undefined where the node is no member. Throws StoreUnavailable while that is not known. */
  readonly specOf: (node: string) => Spec | undefined;
}

export class NotMember extends PlaitError {
  constructor(node: string) {
    super('NOT_MEMBER', `answer node ${node}: it is not a member of this cluster, or was removed from it`, {
      hint: 'on that host: `plait leave --force`, then `plait join`',
    });
  }
}

export class NotPermitted extends PlaitError {
  constructor(doing: string, reason: string) {
    super('NOT_PERMITTED', `${doing}: ${reason}`);
  }
}

/** Throws what is wrong with the certificate, or NotMember. Asked for each request: nodes are removed and demoted. */
export function peerOf(socket: TLSSocket, { cluster, specOf }: Members): Peer {
  const presented = socket.getPeerX509Certificate();
  const from = `${socket.remoteAddress ?? 'somebody'}`;
  if (presented === undefined) {
    throw new CertificateMissing(
      `answer ${from}: it shows no certificate`,
      'only members of the cluster may ask this',
    );
  }
  if (!socket.authorized) {
    const error = socket.authorizationError;
    throw (
      describeTlsFailure(error, { peer: from, presented }) ??
      new OtherClusterCertificate(`trust ${from}: ${error}`, 'join the cluster with `plait join`')
    );
  }
  const { node, role, cluster: theirs } = identityOf(presented);
  if (theirs !== cluster) {
    throw new OtherClusterCertificate(
      `answer ${from}: its certificate is of cluster ${theirs}, and this is cluster ${cluster}`,
      'give the address of a manager of its own cluster',
    );
  }
  const spec = specOf(node);
  if (spec === undefined) throw new NotMember(node);
  return { node, role: spec.role === 'manager' ? role : 'worker' };
}
