/* The requests of the API: parse, ask the agent, answer. What each one means is the agent's business. */
import type { FastifyInstance } from 'fastify';
import type { Role } from '../../cluster/pki/records.js';
import { parseRequest } from '../../http/failures.js';
import * as api from '../../model/api.js';
import * as trust from '../../model/api-trust.js';
import { type LineStream, lineStream } from './lines.js';

/** What the agent can be asked. References are ids, unique prefixes of ids, or names. */
export interface Backend {
  status(): Promise<api.StatusAnswer>;
  nodes(): Promise<api.NodeAnswer[]>;
  node(ref: string): Promise<api.NodeAnswer>;
  networks(): api.NetworkAnswer[];
  network(ref: string): Promise<api.NetworkAnswer>;
  createNetwork(request: api.NetworkCreateRequest): Promise<api.NetworkAnswer>;
  removeNetwork(ref: string): Promise<api.RemovedAnswer>;
  endpoints(network: string | undefined): Promise<api.EndpointAnswer[]>;
  endpoint(ref: string): Promise<api.EndpointAnswer>;
  attach(request: api.AttachRequest): Promise<api.EndpointChangeAnswer>;
  declare(requests: api.DeclareRequest[]): Promise<api.DeclaredAnswer>;
  removeEndpoint(ref: string): Promise<api.RemovedAnswer>;
  maps(): api.MapAnswer[];
  dumpMap(name: string, filter: api.MapQuery): api.MapDumpAnswer;
  drops(): api.DropsAnswer;
  /** Calls back for each sampled drop until the returned function is called. */
  followDrops(onDrop: (drop: api.DropAnswer) => void): () => void;
  verify(): Promise<api.VerifyAnswer>;
  leave(request: api.LeaveRequest): Promise<api.LeaveAnswer>;
  /* A manager's: */
  joinToken(role: Role): Promise<trust.JoinTokenAnswer>;
  rotateJoinToken(role: Role): Promise<trust.JoinTokenAnswer>;
  authority(): Promise<trust.AuthorityAnswer>;
  rotateAuthority(): Promise<trust.AuthorityAnswer>;
  updateNode(ref: string, request: trust.NodeUpdateRequest): Promise<api.NodeAnswer>;
  removeNode(ref: string, query: trust.NodeRemoveQuery): Promise<api.RemovedAnswer>;
}

interface ByRef {
  Params: { ref: string };
}

export function addRoutes(server: FastifyInstance, backend: Backend): void {
  server.get('/v1/status', () => backend.status());
  server.get('/v1/verify', () => backend.verify());
  server.post('/v1/leave', (request) =>
    backend.leave(parseRequest(api.leaveSchema, request.body, 'leave cluster')),
  );
  addClusterRoutes(server, backend);
  addEndpointRoutes(server, backend);
  addDatapathRoutes(server, backend);
  addTrustRoutes(server, backend);
}

function addClusterRoutes(server: FastifyInstance, backend: Backend): void {
  server.get('/v1/nodes', () => backend.nodes());
  server.get<ByRef>('/v1/nodes/:ref', (request) => backend.node(request.params.ref));
  server.get('/v1/networks', async () => backend.networks());
  server.post('/v1/networks', async (request, reply) => {
    const asked = parseRequest(api.networkCreateSchema, request.body, 'create network');
    return reply.status(201).send(await backend.createNetwork(asked));
  });
  server.get<ByRef>('/v1/networks/:ref', (request) => backend.network(request.params.ref));
  server.delete<ByRef>('/v1/networks/:ref', (request) => backend.removeNetwork(request.params.ref));
}

function addEndpointRoutes(server: FastifyInstance, backend: Backend): void {
  server.get('/v1/endpoints', async (request) => {
    const query = parseRequest(api.endpointQuerySchema, request.query, 'list endpoints');
    return backend.endpoints(query.network);
  });
  server.post('/v1/endpoints', async (request, reply) => {
    const asked = parseRequest(api.attachSchema, request.body, 'attach endpoint');
    return reply.status(201).send(await backend.attach(asked));
  });
  server.post('/v1/endpoints/declared', async (request, reply) => {
    const asked = parseRequest(api.declareSchema, request.body, 'declare endpoint');
    return reply.status(201).send(await backend.declare(asked));
  });
  server.get<ByRef>('/v1/endpoints/:ref', (request) => backend.endpoint(request.params.ref));
  server.delete<ByRef>('/v1/endpoints/:ref', (request) => backend.removeEndpoint(request.params.ref));
}

function addDatapathRoutes(server: FastifyInstance, backend: Backend): void {
  server.get('/v1/maps', async () => backend.maps());
  server.get<{ Params: { name: string } }>('/v1/maps/:name', async (request) =>
    backend.dumpMap(request.params.name, parseRequest(api.mapQuerySchema, request.query, 'dump map')),
  );
  server.get('/v1/drops', async () => backend.drops());
  const streams = new Set<LineStream>();
  server.addHook('preClose', async () => {
    for (const stream of streams) stream.end();
  });
  server.get('/v1/drops/follow', { exposeHeadRoute: false }, (_request, reply) => {
    const lines = lineStream();
    streams.add(lines);
    const stop = backend.followDrops((drop) => lines.write(drop));
    reply.raw.once('close', () => {
      stop();
      streams.delete(lines);
      lines.end();
    });
    return reply.type('application/x-ndjson').send(lines.readable);
  });
}

function addTrustRoutes(server: FastifyInstance, backend: Backend): void {
  const roleOf = (parameters: unknown): Role =>
    parseRequest(trust.roleParameterSchema, parameters, 'ask for join token').role;
  server.get('/v1/join-tokens/:role', (request) => backend.joinToken(roleOf(request.params)));
  server.post('/v1/join-tokens/:role/rotate', (request) => backend.rotateJoinToken(roleOf(request.params)));
  server.get('/v1/ca', () => backend.authority());
  server.post('/v1/ca/rotate', () => backend.rotateAuthority());
  server.post<ByRef>('/v1/nodes/:ref', (request) =>
    backend.updateNode(request.params.ref, parseRequest(trust.nodeUpdateSchema, request.body, 'update node')),
  );
  server.delete<ByRef>('/v1/nodes/:ref', (request) =>
    backend.removeNode(
      request.params.ref,
      parseRequest(trust.nodeRemoveSchema, request.query, 'remove node'),
    ),
  );
}
