/* Listening on a unix socket whose file an earlier process may have left. */
import { mkdir, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { PlaitError } from '../model/errors.js';

/** For root alone, mode 0600, from the first moment. Throws SOCKET_IN_USE when somebody answers there. */
export async function listenOn(
  server: { listen(options: { path: string }): Promise<unknown> },
  socket: string,
): Promise<void> {
  await mkdir(dirname(socket), { recursive: true, mode: 0o755 });
  await removeStale(socket);
  const umask = process.umask(0o177);
  try {
    await server.listen({ path: socket });
  } finally {
    process.umask(umask);
  }
}

async function removeStale(socket: string): Promise<void> {
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
