/* The request by which this host leaves the cluster, and what it means for the others. */
import type { Departure } from '../departure.js';
import type { Gate } from '../gate.js';
import type { Backend } from '../server/routes.js';

export function leaveRequests(departure: Departure): Pick<Backend, 'leave'> {
  return { leave: (request) => departure.leave(request) };
}

/** The same backend, whose changes pass the gate. */
export function guarded<T extends Omit<Backend, 'leave'>>(backend: T, gate: Gate): T {
  return {
    ...backend,
    createNetwork: (request) => gate.pass(() => backend.createNetwork(request)),
    removeNetwork: (ref) => gate.pass(() => backend.removeNetwork(ref)),
    attach: (request) => gate.pass(() => backend.attach(request)),
    declare: (requests) => gate.pass(() => backend.declare(requests)),
    updateNode: (ref, request) => gate.pass(() => backend.updateNode(ref, request)),
    removeNode: (ref, query) => gate.pass(() => backend.removeNode(ref, query)),
    removeEndpoint: (ref) => gate.pass(() => backend.removeEndpoint(ref)),
  };
}
