/*
 * How a manager runs etcd. Clients are let in on the loopback alone: what workers ask comes through the guard
 * (cluster/guard), since etcd's own permissions do not hold against a hostile client. Members talk over TCP 2380. On both
 * ports a certificate must be a manager's: those alone have the name MANAGER_NAME. Nothing secret is in the arguments.
 */
import { join } from 'node:path';
import type { CredentialPaths } from '../credentials.js';
import { ETCD_CLIENT_PORT, ETCD_PEER_PORT, inUrl } from '../membership-file.js';
import { MANAGER_NAME } from '../pki/records.js';

/** How a member begins; one that has begun goes on from its data, whatever is said here. */
export type Beginning =
  /** As a member of these, `NAME=URL,…`, which all begin now (`new`) or are there (`existing`). */
  | { readonly kind: 'new' | 'existing'; readonly initialCluster: string }
  /** Its data say. */
  | { readonly kind: 'again' }
  /** Alone, with its data: the other members are lost for good. */
  | { readonly kind: 'force-new-cluster' };

export interface EtcdPlace {
  /** State directory of the agent. */
  readonly state: string;
  /** Id of the node: the member's name. */
  readonly node: string;
  /** Id of the cluster. */
  readonly cluster: string;
  /** IP address where it listens for other members. */
  readonly listenAddress: string;
  /** IP address where they reach it. */
  readonly advertiseAddress: string;
  readonly tls: CredentialPaths;
}

export const CLIENT_URL = `https://127.0.0.1:${ETCD_CLIENT_PORT}`;
const QUOTA_BYTES = 4 * 1024 ** 3;
const KEPT_HISTORY = '1h';

export function peerUrl(address: string): string {
  return `https://${inUrl(address)}:${ETCD_PEER_PORT}`;
}

/** Where members and what they agreed on are kept. */
export function dataDirectory(state: string): string {
  return join(state, 'etcd');
}

export function etcdArguments(place: EtcdPlace, beginning: Beginning): string[] {
  const { state, node, cluster, listenAddress, advertiseAddress, tls } = place;
  return [
    ...['--name', node, '--data-dir', dataDirectory(state), '--initial-cluster-token', cluster],
    ...['--listen-client-urls', CLIENT_URL, '--advertise-client-urls', CLIENT_URL],
    ...[
      '--listen-peer-urls',
      peerUrl(listenAddress),
      '--initial-advertise-peer-urls',
      peerUrl(advertiseAddress),
    ],
    ...['--client-cert-auth', '--client-cert-allowed-hostname', MANAGER_NAME],
    ...['--trusted-ca-file', tls.ca, '--cert-file', tls.certificate, '--key-file', tls.key],
    ...['--peer-client-cert-auth', '--peer-cert-allowed-hostname', MANAGER_NAME],
    // Who comes with a manager's certificate is let in from any address: one that has moved has a certificate for its old one,
    // and gets another only through the others.
    '--experimental-peer-skip-client-san-verification=true',
    ...['--peer-trusted-ca-file', tls.ca, '--peer-cert-file', tls.certificate, '--peer-key-file', tls.key],
    ...['--auto-compaction-mode', 'periodic', '--auto-compaction-retention', KEPT_HISTORY],
    ...['--quota-backend-bytes', `${QUOTA_BYTES}`, '--pre-vote=true', '--strict-reconfig-check=true'],
    '--enable-grpc-gateway=false', // HTTP/1 in front of the same, which would not see clients' certificates
    ...['--logger', 'zap', '--log-outputs', 'stderr', '--log-level', 'warn'],
    ...beginningArguments(beginning),
  ];
}

function beginningArguments(beginning: Beginning): string[] {
  if (beginning.kind === 'again') return [];
  if (beginning.kind === 'force-new-cluster') return ['--force-new-cluster'];
  return ['--initial-cluster', beginning.initialCluster, '--initial-cluster-state', beginning.kind];
}
