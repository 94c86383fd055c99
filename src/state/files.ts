/* The agent's own files: JSON, readable by root alone, replaced whole so that a reader never sees half of one. */
import { chmod, mkdir, open, readFile, rename, unlink } from 'node:fs/promises';
import { PlaitError } from '../model/errors.js';

const ownerOnly = 0o600;

export async function makePrivateDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  await chmod(path, 0o700);
}

/** The agent's directory cannot be written: it is full, read-only or broken. */
export class StateNotWritten extends PlaitError {
  constructor(path: string, cause: NodeJS.ErrnoException) {
    super('STATE_NOT_WRITTEN', `write ${path}: ${reasons[cause.code ?? ''] ?? cause.message}`, {
      isTransient: true,
      hint: 'make room there, or repair the file system, and try again',
      cause,
    });
  }
}

const reasons: Record<string, string> = {
  ENOSPC: 'no space is left on the device',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only',
};

/**
 * Throws StateNotWritten, and then leaves the file as it was. `durable`: also a power failure leaves the old content or
 * the new, which costs a flush.
 */
export async function writeFileAtomically(
  path: string,
  content: string | Uint8Array,
  { durable = false } = {},
): Promise<void> {
  const temporary = `${path}.new`;
  try {
    const file = await open(temporary, 'w', ownerOnly);
    try {
      await file.writeFile(content);
      if (durable) await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw new StateNotWritten(path, error as NodeJS.ErrnoException);
  }
}

/** The parsed content, or undefined when there is no such file. Throws what JSON.parse throws. */
export async function readJson(path: string): Promise<unknown> {
  const content = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  return content === undefined ? undefined : JSON.parse(content);
}
