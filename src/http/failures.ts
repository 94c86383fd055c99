/* Failures on their way out of the API: which status says it, and what the answer's body holds. */
import type { ZodType } from 'zod';
import type { ErrorAnswer } from '../model/api.js';
import { InvalidInput, PlaitError } from '../model/errors.js';

const statuses: Record<string, number> = {
  INVALID_INPUT: 400,
  AMBIGUOUS: 400,
  NOT_FOUND: 404,
  NAMESPACE_NOT_FOUND: 404,
  NOT_A_NAMESPACE: 400,
  OWN_NAMESPACE: 400,
  NO_MAP: 404,
  NAME_TAKEN: 409,
  VNI_TAKEN: 409,
  VNIS_EXHAUSTED: 409,
  ADDRESS_TAKEN: 409,
  MAC_TAKEN: 409,
  INTERFACE_EXISTS: 409,
  RANGE_FULL: 409,
  POOL_EXHAUSTED: 409,
  SUBNET_OVERLAP: 409,
  NETWORK_IN_USE: 409,
  ENDPOINT_ELSEWHERE: 409,
  ENDPOINTS_ATTACHED: 409,
  AGENT_LEAVING: 409,
  ENDPOINTS_FULL: 409,
  VTEPS_FULL: 409,
  MAP_FULL: 409,
  STORE_CONFLICT: 409,
  NOT_PERMITTED: 403,
  NOT_MEMBER: 403,
  WRONG_SECRET: 403,
  REPLAYED: 403,
  TOO_MANY_GUESSES: 429,
  NODE_KNOWN: 409,
  VTEP_TAKEN: 409,
  BAD_CERTIFICATE_REQUEST: 400,
  CERTIFICATE_EXPIRED: 403,
  CERTIFICATE_NOT_YET_VALID: 403,
  CERTIFICATE_MISSING: 403,
  CERTIFICATE_REFUSED: 403,
  CERTIFICATE_ADDRESS_MISMATCH: 403,
  OTHER_CLUSTER_CERTIFICATE: 403,
  NOT_A_NODE_CERTIFICATE: 403,
  NOT_MANAGER: 409,
  NODE_IS_MANAGER: 409,
  NODE_IS_SELF: 409,
  NODE_ALIVE: 409,
  LAST_MANAGER: 409,
  ROTATION_UNDER_WAY: 409,
  NODE_NOT_ACTIVE: 409,
  QUORUM_AT_RISK: 409,
  STORE_UNAVAILABLE: 503,
  STATE_NOT_WRITTEN: 507,
};

export interface Failure {
  status: number;
  body: ErrorAnswer;
}

/** Anything that is not ours becomes "internal": its stack belongs in the log, not in front of a person. */
export function describeFailure(error: unknown): Failure {
  if (error instanceof PlaitError) {
    const { code, message, hint } = error;
    return { status: statuses[code] ?? 500, body: { error: { code, message, hint } } };
  }
  const status = clientErrorStatus(error);
  if (status !== undefined) {
    return {
      status,
      body: { error: { code: 'INVALID_INPUT', message: `read request: ${messageOf(error)}` } },
    };
  }
  return { status: 500, body: { error: { code: 'INTERNAL', message: messageOf(error) } } };
}

/** What fastify itself refuses: a body that is not JSON, one that is too big. */
function clientErrorStatus(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('statusCode' in error)) return undefined;
  const { statusCode } = error;
  return typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500 ? statusCode : undefined;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The value as the schema has it, or InvalidInput that names every field that is wrong. */
export function parseRequest<T>(schema: ZodType<T>, value: unknown, doing: string): T {
  const parsed = schema.safeParse(value ?? {});
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path, message }) =>
    path.length > 0 ? `${path.join('.')}: ${message}` : message,
  );
  throw new InvalidInput(`${doing}: ${faults.join('; ')}`);
}
