// Just enough ELF64 to find a section of a BPF object by name.
import { readFileSync } from 'node:fs';
import { BpfError, misuse } from './error.js';

const headerSize = 64;
const sectionHeaderSize = 64;

function readFile(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const { code, errno } = error as NodeJS.ErrnoException;
    throw new BpfError(`read object ${path}`, code ?? 'EIO', Math.abs(errno ?? 5), 'cannot read the file');
  }
}

/** The bytes of section `name`; EINVAL when the file is no little-endian ELF64 object or lacks the section. */
export function readSection(path: string, name: string): Buffer {
  const op = `read object ${path}`;
  const file = readFile(path);
  const isElf64 = file.length >= headerSize && file.readUInt32BE(0) === 0x7f454c46 && file[4] === 2;
  if (!isElf64 || file[5] !== 1) throw misuse(op, 'not a little-endian ELF64 object');
  const table = Number(file.readBigUInt64LE(40));
  const count = file.readUInt16LE(60);
  const namesIndex = file.readUInt16LE(62);
  if (table + count * sectionHeaderSize > file.length || namesIndex >= count) throw misuse(op, 'truncated');

  const section = (index: number) => {
    const at = table + index * sectionHeaderSize;
    const offset = Number(file.readBigUInt64LE(at + 24));
    const size = Number(file.readBigUInt64LE(at + 32));
    return { nameAt: file.readUInt32LE(at), bytes: file.subarray(offset, offset + size) };
  };
  const names = section(namesIndex).bytes;
  for (let i = 0; i < count; i++) {
    const { nameAt, bytes } = section(i);
    if (names.toString('latin1', nameAt, names.indexOf(0, nameAt)) === name) return bytes;
  }
  throw misuse(op, `no section ${name}: was it compiled with -g?`);
}
