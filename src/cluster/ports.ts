/* Whether a host can be a manager: the ports that this takes are free. Asked before anything is written down. */
import { createServer } from 'node:net';
import { PlaitError } from '../model/errors.js';
import { ETCD_CLIENT_PORT, ETCD_PEER_PORT, JOIN_PORT } from './membership-file.js';

/**
 * @param address where it is to listen
 * @param runsEtcd whether it runs etcd, too
 *
 * Throws PORT_TAKEN, ADDRESS_MISSING.
 */
export async function checkManagerPorts(address: string, runsEtcd = true): Promise<void> {
  if (runsEtcd) {
    await checkPort('127.0.0.1', ETCD_CLIENT_PORT);
    await checkPort(address, ETCD_PEER_PORT);
  }
  await checkPort(address, JOIN_PORT);
}

async function checkPort(address: string, port: number): Promise<void> {
  const server = createServer();
  const error = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
    server.once('error', resolve);
    server.listen({ host: address, port, exclusive: true }, () => resolve(undefined));
  });
  if (error === undefined) {
    await new Promise((resolve) => server.close(resolve));
    return;
  }
  const doing = `be a manager on ${address}`;
  if (error.code === 'EADDRNOTAVAIL') {
    throw new PlaitError('ADDRESS_MISSING', `${doing}: this host has no such address`, {
      hint: 'name one that it has with --advertise-addr, or with --listen-addr where others reach it by another',
    });
  }
  if (error.code !== 'EADDRINUSE') throw error;
  const isEtcd = port === ETCD_CLIENT_PORT || port === ETCD_PEER_PORT;
  throw new PlaitError('PORT_TAKEN', `${doing}: somebody listens on TCP ${port} of ${address}`, {
    hint: isEtcd
      ? "if that is the etcd which Debian's etcd-server starts by itself: `systemctl disable --now etcd`"
      : `\`ss -ltnp sport = :${port}\` names who`,
  });
}
