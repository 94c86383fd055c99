/** Under which names an endpoint is found. */

/** web.1, and Swarm's web.1.<task id>, are replicas of web. */
const replicaRule = /^(.+)\.\d+(?:\.[a-z0-9]{25})?$/;

/**
 * Name and aliases in lower case, since DNS knows no case; and for replicas the name that means all of them:
 * `tasks.web` for web.1, as Swarm has it.
 */
export function namesOf(endpoint: {
  readonly name: string;
  readonly aliases: readonly string[];
}): Set<string> {
  const names = new Set<string>();
  for (const given of [endpoint.name, ...endpoint.aliases]) {
    const name = given.toLowerCase();
    names.add(name);
    const all = replicaRule.exec(name)?.[1];
    if (all !== undefined) names.add(`tasks.${all}`);
  }
  return names;
}
