/* What an endpoint costs an agent that knows many: one agent, alone in its process, before and after. */
import { fileURLToPath } from 'node:url';
import type { EndpointInput } from '../../model/inputs.js';
import { EXTERNAL_NODE, type Network, randomId } from '../../model/records.js';
import { createEndpoints } from '../../store/bulk.js';
import { createNetwork } from '../../store/networks.js';
import type { Store } from '../../store/store.js';
import { direct } from '../../store/writes.js';
import { WorkerProcess } from './calls.js';
import type { MemoryMethods, MemoryReading } from './memory-worker.js';
import { standingMac } from './plan.js';
import type { MemoryResult } from './result.js';
import { until } from './until.js';

const MODULE = fileURLToPath(new URL('./memory-worker.js', import.meta.url));
const SUBNET = '100.64.0.0/14';
const VTEP = '198.19.255.1';
const PEERS = 100;
const TIMEOUT_MS = 120_000;

export interface MemoryOptions {
  readonly etcd: string;
  readonly store: Store;
  readonly endpoints: number;
  readonly signal: AbortSignal;
}

export class MemoryProbe {
  readonly #process = new WorkerProcess<MemoryMethods>(MODULE, ['--expose-gc']);

  async measure(options: MemoryOptions): Promise<MemoryResult> {
    const { etcd, store, endpoints, signal } = options;
    const input = { name: 'memory', subnets: [SUBNET] };
    const network = await createNetwork(store, input, { routes: [], mtu: 1450 });
    const { createdAt } = network;
    const node = { id: randomId(), name: 'memory', vtep: VTEP, version: 'bench', labels: {}, createdAt };
    await createEndpoints(direct(store), network, [{ name: 'own', node: node.id, mac: standingMac(0) }]);
    await this.#process.call('start', { etcd, agents: [{ index: 0, node, networks: [network] }] });
    const before = await this.#process.call('read');
    await declare(store, network, endpoints);
    const knowsAll = async (): Promise<boolean> => (await this.#process.call('reachable')) > endpoints;
    await until('the agent to know all endpoints', knowsAll, { timeoutMs: TIMEOUT_MS, signal });
    const after = await this.#process.call('read');
    await this.#process.call('stop');
    await this.end();
    return perEndpoint(before, after);
  }

  /** Ends the process, whatever it is doing. */
  end(): Promise<void> {
    return this.#process.end();
  }
}

/** Behind many VTEPs, as the endpoints of a cluster are. */
async function declare(store: Store, network: Network, count: number): Promise<void> {
  const inputs: EndpointInput[] = Array.from({ length: count }, (_, at) => ({
    name: `far${at}`,
    node: EXTERNAL_NODE,
    vtep: `198.19.0.${1 + (at % PEERS)}`,
    mac: standingMac(1 + at),
    addresses: [addressOf(at)],
  }));
  await createEndpoints(direct(store), network, inputs);
}

/** Beyond the first /24, where the gateway and the agent's own endpoint are. */
function addressOf(at: number): string {
  const place = at + 256;
  return `100.${64 + (place >> 16)}.${(place >> 8) & 255}.${place & 255}`;
}

function perEndpoint(before: MemoryReading, after: MemoryReading): MemoryResult {
  const endpoints = after.reachable - before.reachable;
  const grew = (key: keyof MemoryReading): number => (after[key] - before[key]) / endpoints;
  return {
    endpoints,
    baseResidentBytes: before.residentAfterBytes,
    heap: grew('heapBytes'),
    resident: (after.residentBytes - before.residentAfterBytes) / endpoints,
    residentAfter: grew('residentAfterBytes'),
    kernel: grew('kernelBytes'),
  };
}
