/* /usr/share/doc/plait/copyright: who wrote what is in the package, and under which terms. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const common = (name: string): string => `The whole text is in /usr/share/common-licenses/${name}.`;

/** @param library a directory with the unpacked npm package */
export function copyright(library: string): string {
  const parts = [
    `Plait is licensed under the Apache License, version 2.0. ${common('Apache-2.0')}
The BPF programs in /usr/lib/plait/dist/bpf may be used under the GNU General Public License, version 2, or under the
BSD 2-clause license. ${common('GPL-2')}`,
    `/usr/lib/plait/node is Node.js ${process.versions.node}, with this license:\n\n${nodeLicense()}`,
    ...[...modules(join(library, 'node_modules')), ...modules(join(library, 'dist', 'vendor'))].map(
      moduleLicense,
    ),
  ];
  return `${parts.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`;
}

function nodeLicense(): string {
  const prefix = join(dirname(process.execPath), '..');
  const places = ['LICENSE', 'share/doc/nodejs/LICENSE', 'share/doc/node/LICENSE'];
  const found = places.map((place) => join(prefix, place)).find((path) => existsSync(path));
  const address = `https://github.com/nodejs/node/blob/${process.version}/LICENSE`;
  return found === undefined ? address : readFileSync(found, 'utf8').trim();
}

/** Directories of the packages in a node_modules, those inside others included. */
function modules(directory: string): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .sort()
    .flatMap((name) => {
      const path = join(directory, name);
      if (name.startsWith('@')) return modules(path);
      return existsSync(join(path, 'package.json')) ? [path, ...modules(join(path, 'node_modules'))] : [];
    });
}

function moduleLicense(directory: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as {
    name: string;
    version: string;
    license?: string;
  };
  const head = `${name} ${version}: ${license ?? 'see its text'}`;
  const file = readdirSync(directory).find(
    (entry) => /^(licen[cs]e|copying)/i.test(entry) && entry !== PARTS,
  );
  const parts = licensesOfParts(join(directory, PARTS));
  if (license === 'Apache-2.0') return [`${head}. ${common('Apache-2.0')}`, ...parts].join('\n\n');
  return [head, ...(file === undefined ? [] : [read(join(directory, file))]), ...parts].join('\n\n');
}

/** Where a package that contains others' code has their licenses. */
const PARTS = 'licenses';

function licensesOfParts(directory: string): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .sort()
    .map((name) => `It contains code under this license (${name}):\n\n${read(join(directory, name))}`);
}

const read = (path: string): string => readFileSync(path, 'utf8').trim();
