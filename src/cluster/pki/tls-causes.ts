/**
 * What Node, OpenSSL and gRPC say when TLS fails, as causes. Two sides tell: this one, which found fault with the other's
 * certificate (`theirs`), or the other one, by an alert (RFC 8446, 6.2), with ours (`ours`).
 *
 * They say it as a code (`CERT_HAS_EXPIRED`), in words inside of another message (gRPC), or below `cause` (fetch), so code
 * and words of each error of the chain are read. Go before 1.21, and so etcd 3.4, sends "bad certificate" whatever the
 * fault is. Node's own server sends no alert at all: it closes the connection.
 */

export type TlsFault =
  | 'expired'
  | 'not yet valid'
  | 'unknown authority'
  | 'wrong address'
  | 'missing'
  | 'unfit'
  | 'closed';

export interface TlsCause {
  readonly whose: 'theirs' | 'ours';
  readonly fault: TlsFault;
}

type Row = readonly [whose: TlsCause['whose'], fault: TlsFault, told: RegExp];

/** The first that fits. Alerts come first: their words hold those of the faults. */
const ROWS: readonly Row[] = [
  ['ours', 'expired', /ALERT.CERTIFICATE.EXPIRED|tls: expired certificate/i],
  ['ours', 'unknown authority', /ALERT.UNKNOWN.CA|tls: unknown certificate authority/i],
  ['ours', 'missing', /ALERT.CERTIFICATE.REQUIRED|tls: certificate required/i],
  [
    'ours',
    'unfit',
    /ALERT.(BAD.CERTIFICATE|CERTIFICATE.UNKNOWN|UNSUPPORTED.CERTIFICATE|CERTIFICATE.REVOKED|ACCESS.DENIED)/i,
  ],
  ['ours', 'unfit', /tls: bad certificate/i],
  ['theirs', 'expired', /CERT_HAS_EXPIRED|certificate has expired/],
  ['theirs', 'not yet valid', /CERT_NOT_YET_VALID|certificate is not yet valid/],
  ['theirs', 'wrong address', /ERR_TLS_CERT_ALTNAME_INVALID|does not match certificate's altnames/],
  ['theirs', 'unknown authority', /UNABLE_TO_VERIFY_LEAF_SIGNATURE|unable to verify the first certificate/],
  ['theirs', 'unknown authority', /SELF_SIGNED_CERT_IN_CHAIN|self.signed certificate in certificate chain/],
  ['theirs', 'unknown authority', /DEPTH_ZERO_SELF_SIGNED_CERT|\bself.signed certificate\b/],
  ['theirs', 'unknown authority', /UNABLE_TO_GET_ISSUER_CERT(_LOCALLY)?|unable to get (local )?issuer cert/],
  ['theirs', 'unknown authority', /CERT_SIGNATURE_FAILURE|certificate signature failure/],
  ['theirs', 'unfit', /CERT_UNTRUSTED|CERT_REJECTED|INVALID_(PURPOSE|CA)|(unsupported|unsuitable).*purpose/],
  ['ours', 'closed', /ECONNRESET|EPIPE|socket hang up|before secure TLS connection was established/],
];

/**
 * @param error what was thrown, or `authorizationError` of a TLS socket
 * @returns undefined when it is not about TLS. `closed` may have any other reason too.
 */
export function tlsCause(error: unknown): TlsCause | undefined {
  const said = words(error).join('\n');
  const row = ROWS.find(([, , told]) => told.test(said));
  return row && { whose: row[0], fault: row[1] };
}

/** Code and message of the error and of those that caused it. */
function words(error: unknown, depth = 0): string[] {
  if (typeof error === 'string') return [error];
  if (typeof error !== 'object' || error === null || depth > 4) return [];
  const { code, message, cause } = error as { code?: unknown; message?: unknown; cause?: unknown };
  return [code, message].filter((part) => typeof part === 'string').concat(words(cause, depth + 1));
}
