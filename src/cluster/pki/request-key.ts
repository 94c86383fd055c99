/** The one thing that is taken out of a certificate request: its key. */
import { createPublicKey } from 'node:crypto';
import { BadCertificateRequest } from './errors.js';
import { Pkcs10CertificateRequest, PublicKey } from './x509.js';

/** A request of ours has about 400; what a stranger sends is not worth parsing beyond this. */
const MAX_CHARACTERS = 8192;

/**
 * The request must be signed by the key that it is for, or somebody could get a certificate for another's (RFC 2986, 3).
 * @param pem PKCS#10
 * @throws BadCertificateRequest
 */
export async function keyOfRequest(pem: string): Promise<PublicKey> {
  if (pem.length > MAX_CHARACTERS) {
    throw new BadCertificateRequest(`the request has ${pem.length} characters, above ${MAX_CHARACTERS}`);
  }
  const request = parse(pem);
  const key = asP256(request.publicKey);
  if (!(await isSigned(request))) throw new BadCertificateRequest('the request is not signed by its own key');
  return key;
}

function parse(pem: string): Pkcs10CertificateRequest {
  const [block, ...others] = pem.match(/-----BEGIN [A-Z ]+-----/g) ?? [];
  if (block !== '-----BEGIN CERTIFICATE REQUEST-----' || others.length > 0) {
    throw new BadCertificateRequest('the request is not PEM of one PKCS#10 request');
  }
  try {
    return new Pkcs10CertificateRequest(pem);
  } catch (error) {
    throw new BadCertificateRequest('the request cannot be read', error);
  }
}

/** As Node writes it: a point that is not on the curve does not get through. */
function asP256(publicKey: PublicKey): PublicKey {
  const key = publicKeyOf(publicKey);
  const curve = key.asymmetricKeyDetails?.namedCurve ?? key.asymmetricKeyType;
  if (curve !== 'prime256v1') throw new BadCertificateRequest(`the key is ${curve}, not P-256`);
  return new PublicKey(key.export({ type: 'spki', format: 'der' }));
}

function publicKeyOf({ rawData }: PublicKey): ReturnType<typeof createPublicKey> {
  try {
    return createPublicKey({ key: Buffer.from(rawData), type: 'spki', format: 'der' });
  } catch (error) {
    throw new BadCertificateRequest('the key of the request cannot be read', error);
  }
}

async function isSigned(request: Pkcs10CertificateRequest): Promise<boolean> {
  try {
    return await request.verify();
  } catch (error) {
    throw new BadCertificateRequest('the signature of the request cannot be read', error);
  }
}
