/* Listening on a unix socket whose file an earlier process may have left. */
import { unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { PlaitError } from '../model/errors.js';

/** Throws SOCKET_IN_USE when somebody answers there. */
export async function removeStale(socket: string): Promise<void> {
  if (await answers(socket)) {
    throw new PlaitError('SOCKET_IN_USE', `listen on ${socket}: somebody answers there already`, {
      hint: 'stop the other agent, or use another --root',
    });
  }
  await unlink(socket).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
}

function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(socket);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
}
