/* The agent's own files: JSON, readable by root alone, replaced whole so that a reader never sees half of one. */
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';

const ownerOnly = 0o600;

export async function makePrivateDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  await chmod(path, 0o700);
}

export async function writeFileAtomically(path: string, content: string): Promise<void> {
  const temporary = `${path}.new`;
  await writeFile(temporary, content, { mode: ownerOnly });
  await rename(temporary, path);
}

/** The parsed content, or undefined when there is no such file. Throws what JSON.parse throws. */
export async function readJson(path: string): Promise<unknown> {
  const content = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  return content === undefined ? undefined : JSON.parse(content);
}
