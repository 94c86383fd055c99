/*
 * Who this node is and how it reaches its cluster: as `init` or `join` wrote it down on this host, or, where the host
 * is a member of none, by options. What was written down is not overruled by an option: other nodes know it.
 */
import { hostname } from 'node:os';
import type { ClusterSource } from '../cluster/link.js';
import { membershipPath, readMembership } from '../cluster/membership-file.js';
import { PlaitError } from '../model/errors.js';
import { defaultAddress } from '../net/default-address.js';

/** Where etcd listens when nobody told it otherwise. */
const DEFAULT_ETCD = ['http://127.0.0.1:2379'];
const DEFAULT_PORT = 4789;

/** Of the command line, or of the variables that stand for it. */
export interface NodeOptions {
  readonly name?: string | undefined;
  readonly advertiseAddress?: string | undefined;
  readonly etcd?: readonly string[] | undefined;
  readonly port?: number | undefined;
}

export interface NodeSettings {
  /** Name of this node. */
  readonly name: string;
  /** This node's address on the underlay. */
  readonly address: string;
  /** UDP port of VXLAN. */
  readonly port: number;
  readonly cluster: ClusterSource;
}

export async function nodeSettings(state: string, options: NodeOptions): Promise<NodeSettings> {
  const membership = await readMembership(state);
  if (membership === undefined) {
    return {
      name: options.name ?? hostname(),
      address: options.advertiseAddress ?? (await defaultAddress()),
      port: options.port ?? DEFAULT_PORT,
      cluster: { kind: 'etcd', urls: options.etcd ?? DEFAULT_ETCD },
    };
  }
  const { name, advertiseAddress, dataPathAddress, dataPathPort } = membership;
  refuse(state, '--etcd', options.etcd?.join(','), undefined);
  refuse(state, '--name', options.name, name);
  refuse(state, '--advertise-addr', options.advertiseAddress, advertiseAddress);
  refuse(state, '--port', options.port, dataPathPort);
  return { name, address: dataPathAddress, port: dataPathPort, cluster: { kind: 'member', membership } };
}

function refuse(state: string, option: string, given: unknown, known: unknown): void {
  if (given === undefined || given === known) return;
  const variable = `PLAIT_${option.slice(2).replaceAll('-', '_').toUpperCase()}`;
  throw new PlaitError(
    'OPTION_OF_MEMBER',
    `start agent: ${option} ${given}: this host is a member of a cluster (${membershipPath(state)})`,
    { hint: `leave out ${option} and ${variable}, or take the host out first: \`plait leave\`` },
  );
}
