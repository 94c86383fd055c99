/**
 * Who a certificate says that its bearer is, and what it means when TLS refuses one.
 *
 * Nothing here verifies a signature: that is done by TLS, which is given the cluster's CAs and no others.
 */
import { X509Certificate } from 'node:crypto';
import type { PlaitError } from '../../model/errors.js';
import { readCertificate } from './bundle.js';
import {
  CertificateAddressMismatch,
  CertificateExpired,
  CertificateMissing,
  CertificateNotYetValid,
  CertificateRefused,
  NotNodeCertificate,
  OtherClusterCertificate,
} from './errors.js';
import { ID_PATTERN, ROLES, type Role } from './records.js';
import { type TlsCause, tlsCause } from './tls-causes.js';

/** PEM (of a chain: its first), DER (`raw` of what Node's TLS shows), or as Node parsed it. */
export type CertificateLike = string | Uint8Array | X509Certificate;

export interface CertificateIdentity {
  /** Id of the node. */
  readonly node: string;
  readonly role: Role;
  /** Id of the cluster. */
  readonly cluster: string;
  /** An hour before it was made. */
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** Throws BadCertificate for what cannot be read, NotNodeCertificate for one that is no node's of Plait. */
export function identityOf(certificate: CertificateLike): CertificateIdentity {
  const read = parsed(certificate);
  const subject: Record<string, string | string[] | undefined> = { ...read.toLegacyObject().subject };
  const refuse = (reason: string): NotNodeCertificate => new NotNodeCertificate(shown(read.subject), reason);
  if (read.ca) throw refuse('it is a CA');
  const { CN: node, O: organization, OU: cluster, ...others } = subject;
  const role = ROLES.find((role) => organization === `plait:${role}`);
  if (role === undefined) throw refuse('its organization (O) is neither plait:worker nor plait:manager');
  if (!isId(node)) throw refuse('its name (CN) is no id of a node');
  if (!isId(cluster)) throw refuse('its unit (OU) is no id of a cluster');
  if (Object.keys(others).length > 0) throw refuse(`it has ${Object.keys(others).join(', ')} too`);
  return { node, role, cluster, ...lifeOf(read) };
}

/** More than one of a kind is an array there, and so no id. */
function isId(value: string | string[] | undefined): value is string {
  return typeof value === 'string' && ID_PATTERN.test(value);
}

function parsed(certificate: CertificateLike): X509Certificate {
  return certificate instanceof X509Certificate ? certificate : readCertificate(certificate);
}

function lifeOf({ validFrom, validTo }: X509Certificate): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(validFrom), notAfter: new Date(validTo) };
}

/** A name from a certificate ends up on terminals: one line, nothing that moves a cursor. */
function shown(subject: string | undefined): string {
  const line = (subject ?? '').trim().replaceAll('\n', ', ').replaceAll(/\p{C}/gu, '?').slice(0, 200);
  return line === '' ? 'nobody' : line;
}

export interface TlsContext {
  /** What was talked to, as it begins or ends a sentence: `manager 192.0.2.1:2377`, `etcd at …`. */
  readonly peer: string;
  /** This side's certificate. */
  readonly own?: CertificateLike | undefined;
  /** What the peer showed, when it is known. */
  readonly presented?: CertificateLike | undefined;
  /** By this host's clock. */
  readonly now?: Date;
}

/**
 * What a failure of TLS means and what to do about it.
 * @param error what was thrown; or the `authorizationError` of a server's socket, where `peer` is the client
 * @returns undefined when it is about something else: refused connections, timeouts, answers. A connection that was just
 *   closed is taken for a refusal only when this side's certificate is out of its dates.
 */
export function describeTlsFailure(error: unknown, context: TlsContext): PlaitError | undefined {
  const cause = tlsCause(error);
  if (!cause) return undefined;
  const { peer, now = new Date() } = context;
  const about = { peer, now, error, own: read(context.own), presented: read(context.presented) };
  return cause.whose === 'theirs' ? describeTheirs(cause, about) : describeOurs(cause, about);
}

interface About {
  readonly peer: string;
  readonly now: Date;
  readonly error: unknown;
  readonly own: X509Certificate | undefined;
  readonly presented: X509Certificate | undefined;
}

const JOIN_AGAIN = 'run `plait join` again with a new token, from `plait join-token` on a manager';
const SET_CLOCK = 'set the clock of this host if it is wrong';

function describeTheirs({ fault }: TlsCause, { peer, now, error, own, presented }: About): PlaitError {
  const begin = `trust ${peer}:`;
  const clock = `this host's clock says ${now.toISOString()}`;
  const life = presented && lifeOf(presented);
  switch (fault) {
    case 'expired': {
      const isLeaf = life !== undefined && life.notAfter <= now;
      const what = isLeaf ? `its certificate expired on ${life.notAfter.toISOString()}` : EXPIRED_SOMEWHERE;
      return new CertificateExpired(
        `${begin} ${what}; ${clock}`,
        `${SET_CLOCK}; else there: ${JOIN_AGAIN}`,
        error,
      );
    }
    case 'not yet valid': {
      const from = life && life.notBefore > now ? ` before ${life.notBefore.toISOString()}` : ' yet';
      const message = `${begin} its certificate is not valid${from}; ${clock}`;
      return new CertificateNotYetValid(message, `${SET_CLOCK}, or that of the host that made it`, error);
    }
    case 'unknown authority': {
      const message = `${begin} its certificate is not by a CA of this cluster${clusters(own, presented)}`;
      return new OtherClusterCertificate(message, 'give the address of a manager of this cluster', error);
    }
    case 'wrong address': {
      const names = presented?.subjectAltName;
      const message = `${begin} its certificate is not for that address${names ? `, but for ${shown(names)}` : ''}`;
      const hint = 'use an address that the node advertises; it gets a new certificate when these change';
      return new CertificateAddressMismatch(message, hint, error);
    }
    default:
      return new CertificateRefused(
        `${begin} its certificate is not fit for this${presented ? `: ${shown(presented.subject)}` : ''}`,
        'what answers or asks there may not be a node of Plait',
        error,
      );
  }
}

const EXPIRED_SOMEWHERE = 'its certificate, or the CA that signed it, has expired';

function describeOurs({ fault }: TlsCause, { peer, now, error, own }: About): PlaitError | undefined {
  const begin = `be trusted by ${peer}:`;
  const life = own && lifeOf(own);
  const clock = `this host's clock says ${now.toISOString()}`;
  if (life && life.notAfter <= now) {
    const message = `${begin} this node's certificate expired on ${life.notAfter.toISOString()}; ${clock}`;
    return new CertificateExpired(message, `${SET_CLOCK}; else ${JOIN_AGAIN}`, error);
  }
  if (life && life.notBefore > now) {
    const from = life.notBefore.toISOString();
    const message = `${begin} this node's certificate is not valid before ${from}; ${clock}`;
    return new CertificateNotYetValid(message, `${SET_CLOCK}; else ${JOIN_AGAIN}`, error);
  }
  const dates = life ? `, valid from ${life.notBefore.toISOString()} to ${life.notAfter.toISOString()}` : '';
  switch (fault) {
    case 'closed':
      return undefined;
    case 'expired': {
      const message = `${begin} it takes this node's certificate${dates} for expired; ${clock}`;
      return new CertificateExpired(message, `compare the clocks of both; else ${JOIN_AGAIN}`, error);
    }
    case 'unknown authority': {
      const message = `${begin} it does not know the CA of this node's certificate${clusters(own, undefined)}`;
      const hint = `give the address of a manager of this node's cluster, or ${JOIN_AGAIN}`;
      return new OtherClusterCertificate(message, hint, error);
    }
    case 'missing':
      return new CertificateMissing(`${begin} it wants a certificate and was shown none`, JOIN_AGAIN, error);
    default: {
      const message = `${begin} it refused this node's certificate${dates} without a reason; ${clock}`;
      const hint = `compare the clocks of both, and the cluster of both in \`plait status\`; else ${JOIN_AGAIN}`;
      return new CertificateRefused(message, hint, error);
    }
  }
}

/** A certificate that cannot be read is no reason to hide why TLS failed. */
function read(certificate: CertificateLike | undefined): X509Certificate | undefined {
  try {
    return certificate === undefined ? undefined : parsed(certificate);
  } catch {
    return undefined;
  }
}

function clusters(own: X509Certificate | undefined, presented: X509Certificate | undefined): string {
  const parts = [
    ...(own ? [`this node's is of ${clusterOf(own)}`] : []),
    ...(presented ? [`the other says ${clusterOf(presented)}`] : []),
  ];
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`;
}

function clusterOf(certificate: X509Certificate): string {
  try {
    return `cluster ${identityOf(certificate).cluster}`;
  } catch {
    return `no cluster of Plait: ${shown(certificate.subject)}`;
  }
}
