/* A worker's writes: each asks a manager, who does it or says why not, in the words of who writes by himself. */
import { z } from 'zod';
import { PlaitError } from '../../model/errors.js';
import type { NetworkHost, NetworkInput } from '../../model/inputs.js';
import {
  type Description,
  type Endpoint,
  endpointSchema,
  type Network,
  type Node,
  networkSchema,
  randomId,
} from '../../model/records.js';
import { patience } from '../../patience.js';
import type { Orphans } from '../../store/gc.js';
import type { ClusterWrites, Holding, NamedNode, Place, Placement } from '../../store/writes.js';
import { type ManagerClient, Refused } from './client.js';
import type { WriteName } from './contract.js';

const nothing = z.looseObject({ answer: z.null() });
const placement = z.union([
  z.strictObject({ placed: z.array(endpointSchema) }),
  z.strictObject({ taken: z.record(z.string(), z.string()) }),
  z.strictObject({ missing: z.literal('network') }),
]);
const orphans = z.looseObject({ addresses: z.array(z.string()), macs: z.array(z.string()) });
/** With thousands of endpoints. */
const REMOVAL_MS = patience(60_000);

export class ManagerWrites implements ClusterWrites {
  readonly #client: ManagerClient;

  constructor(client: ManagerClient) {
    this.#client = client;
  }

  placeEndpoints(endpoints: readonly Endpoint[]): Promise<Placement> {
    return this.#ask('place-endpoints', [endpoints], placement);
  }

  describeEndpoint({ id, network, node }: Place, { name, aliases }: Description): Promise<boolean> {
    return this.#ask(
      'describe-endpoint',
      [
        { id, network, node },
        { name, aliases },
      ],
      z.boolean(),
    );
  }

  async removeEndpoints(endpoints: readonly Holding[]): Promise<void> {
    const named = endpoints.map(({ id, network, node, addresses, mac }) => ({
      id,
      network,
      node,
      addresses,
      mac,
    }));
    await this.#do('remove-endpoints', [named], REMOVAL_MS);
  }

  collectOrphans(network: string): Promise<Orphans> {
    return this.#ask('collect-orphans', [network], orphans);
  }

  createNetwork(input: NetworkInput, host: NetworkHost): Promise<Network> {
    return this.#ask('create-network', [input, host, randomId()], networkSchema);
  }

  /** A manager whose answer got lost may have removed it: then the next one knows of none. */
  async removeNetwork(network: Network): Promise<void> {
    await this.#do('remove-network', [network]).catch((error) => {
      if (!(error instanceof Refused && error.isRepeated && error.code === 'NOT_FOUND')) throw error;
    });
  }

  restoreNetwork(network: Network, endpoint: Endpoint): Promise<boolean> {
    return this.#ask('restore-network', [network, endpoint], z.boolean());
  }

  async claimNodeName(node: Node): Promise<void> {
    await this.#do('claim-node-name', [node]);
  }

  /** Whoever was removed by a request whose answer got lost is no member when he asks again. */
  async removeNode({ id, name }: NamedNode): Promise<void> {
    await this.#do('remove-node', [{ id, name }], REMOVAL_MS).catch((error) => {
      if (!(error instanceof PlaitError && error.code === 'NOT_MEMBER')) throw error;
    });
  }

  async #do(name: WriteName, body: unknown, timeoutMs?: number): Promise<void> {
    await this.#client.ask(callOf(name, body, timeoutMs), nothing);
  }

  async #ask<T>(name: WriteName, body: unknown, schema: z.ZodType<T>): Promise<T> {
    const { answer } = await this.#client.ask(callOf(name, body), z.object({ answer: schema }));
    return answer;
  }
}

function callOf(name: WriteName, body: unknown, timeoutMs?: number) {
  const timeout = timeoutMs === undefined ? {} : { timeoutMs };
  return { method: 'POST', path: `/v1/writes/${name}`, body, ...timeout } as const;
}
