/* The command lines of what a lab runs, as a person would type them. Each is split at its spaces. */
import path from 'node:path';
import { ETCD_URL, type Host, stateDir, underlayAddress } from './topology.js';

export const CLI = path.join(import.meta.dirname, '..', 'cli.js');

/** A member's agent knows by itself who it is. */
export function agentCommand(host: Host, root: string, isMember: boolean): string[] {
  const command = `${process.execPath} ${CLI} agent --root ${root}`;
  if (isMember) return command.split(' ');
  return `${command} --name ${host.name} --advertise-addr ${host.vtep} --etcd ${ETCD_URL}`.split(' ');
}

export function initLine({ name, vtep }: Host, certExpiry: string): string {
  return `plait init --name ${name} --advertise-addr ${vtep} --cert-expiry ${certExpiry}`;
}

export function joinLine({ name, vtep }: Host, token: string, managers: readonly string[]): string {
  return `plait join --name ${name} --advertise-addr ${vtep} --token ${token} ${managers.join(' ')}`;
}

/** One member, no TLS; its data is not worth waiting for a disk. */
export function etcdCommand(lab: string): string[] {
  const client = `${ETCD_URL},http://127.0.0.1:2379`;
  const peer = 'http://127.0.0.1:2380';
  return [
    `etcd --name lab --data-dir ${path.join(stateDir(lab), 'etcd')} --unsafe-no-fsync`,
    `--listen-client-urls ${client} --advertise-client-urls ${ETCD_URL}`,
    `--listen-peer-urls ${peer} --initial-advertise-peer-urls ${peer} --initial-cluster lab=${peer}`,
    '--logger zap --log-outputs stderr --log-level warn',
  ].flatMap((line) => line.split(' '));
}

export function etcdHealthCommand(): string[] {
  const question = `etcdctl --endpoints ${underlayAddress.v4}:2379 endpoint health`;
  return `env ETCDCTL_API=3 ${question}`.split(' ');
}
