/* What Docker calls a container on a network, as names that others find it by. Pure. */
import { InvalidInput } from '../model/errors.js';
import type { Description } from '../model/records.js';
import { validateEndpointName } from '../model/validate.js';
import type { EngineContainer } from './engine-api.js';

const SERVICE_LABEL = 'com.docker.swarm.service.name';

/**
 * The container's name, and as aliases its network aliases, its short id and the name of its service, as Docker's own
 * resolver knows it by on this host; by endpoint, as Docker calls those. What is no DNS name is left out.
 */
export function describe(container: EngineContainer): Map<string, Description> {
  const name = container.Name.replace(/^\//, '');
  const service = container.Config.Labels?.[SERVICE_LABEL];
  const found = new Map<string, Description>();
  for (const { EndpointID, Aliases, DNSNames } of Object.values(container.NetworkSettings.Networks)) {
    if (EndpointID === '') continue; // it does not run
    const given = [name, ...(Aliases ?? []), ...(DNSNames ?? []), ...(service ? [service] : [])];
    const shortId = container.Id.slice(0, 12);
    const [first = shortId, ...aliases] = [...new Set([...given, shortId])].filter(isName);
    found.set(EndpointID, { name: first, aliases });
  }
  return found;
}

function isName(text: string): boolean {
  try {
    validateEndpointName(text);
    return true;
  } catch (error) {
    if (error instanceof InvalidInput) return false;
    throw error;
  }
}
