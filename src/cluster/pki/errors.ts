/** What can be wrong with certificates, requests and tokens. One class per cause; `code` is stable. */
import { PlaitError } from '../../model/errors.js';

/** A certificate signing request that nobody should sign. */
export class BadCertificateRequest extends PlaitError {
  constructor(reason: string, cause?: unknown) {
    super('BAD_CERTIFICATE_REQUEST', `issue certificate: ${reason}`, { cause });
  }
}

/** The cluster's own certificate is at its end: nothing that it signs is believed. */
export class AuthorityExpired extends PlaitError {
  constructor(readonly notAfter: Date) {
    super('AUTHORITY_EXPIRED', `issue certificate: the cluster's CA expired on ${notAfter.toISOString()}`, {
      hint: 'make a new one with `plait ca --rotate`, or set the clock of this host if it is wrong',
    });
  }
}

/** PEM text that is not what it should be. */
export class BadCertificate extends PlaitError {
  constructor(reason: string, cause?: unknown) {
    super('BAD_CERTIFICATE', `read certificate: ${reason}`, { cause });
  }
}

/** A sound certificate that says of nobody that it is a node. */
export class NotNodeCertificate extends PlaitError {
  constructor(
    readonly subject: string,
    reason: string,
  ) {
    super('NOT_A_NODE_CERTIFICATE', `read certificate of ${subject}: ${reason}`, {
      hint: 'what answers or asks there is not a node of Plait',
    });
  }
}

/** Text that is no join token. It is never in the message: it may be most of a secret. */
export class BadToken extends PlaitError {
  constructor(reason: string, hint = 'copy it again, whole, from `plait join-token` on a manager') {
    super('BAD_TOKEN', `read join token: ${reason}`, { hint });
  }
}

export class CertificateExpired extends PlaitError {
  constructor(message: string, hint: string, cause?: unknown) {
    super('CERTIFICATE_EXPIRED', message, { hint, cause });
  }
}

export class CertificateNotYetValid extends PlaitError {
  constructor(message: string, hint: string, cause?: unknown) {
    super('CERTIFICATE_NOT_YET_VALID', message, { hint, cause });
  }
}

/** Signed by a CA that the one who checks it does not trust. */
export class OtherClusterCertificate extends PlaitError {
  constructor(message: string, hint: string, cause?: unknown) {
    super('OTHER_CLUSTER_CERTIFICATE', message, { hint, cause });
  }
}

/** A good certificate of a node that is not at the address that was asked. */
export class CertificateAddressMismatch extends PlaitError {
  constructor(message: string, hint: string, cause?: unknown) {
    super('CERTIFICATE_ADDRESS_MISMATCH', message, { hint, cause });
  }
}

/** The other side refused ours and did not say why. */
export class CertificateRefused extends PlaitError {
  constructor(message: string, hint: string, cause?: unknown) {
    super('CERTIFICATE_REFUSED', message, { hint, cause });
  }
}

/** The other side wants a certificate and was shown none. */
export class CertificateMissing extends PlaitError {
  constructor(message: string, hint: string, cause?: unknown) {
    super('CERTIFICATE_MISSING', message, { hint, cause });
  }
}
