/*
 * The files of the Debian package, in a directory as they will lie on the machine.
 *
 *   /usr/lib/plait       the npm package, without what only people and compilers read, and the Node binary that packs
 *                        (Debian 12 has Node 18; a package that brings its own does not care what else is installed)
 *   /usr/bin/plait       starts the one with the other
 *   the rest             unit, settings, man page, completions, documentation
 */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { DEFAULTS_FILE, defaultsText } from '../install/settings.js';
import { UNIT, unitText } from '../install/unit.js';
import { copyright } from './copyright.js';
import { manPage } from './man.js';
import { perform, TOP } from './tools.js';

const LIBRARY = '/usr/lib/plait';
const COMMAND = '/usr/bin/plait';

export interface TreeOptions {
  readonly tgz: string;
  readonly root: string;
  readonly version: string;
  /** Seconds since 1970. */
  readonly date: number;
}

export function buildTree({ tgz, root, version, date }: TreeOptions): void {
  const library = join(root, LIBRARY);
  mkdirSync(library, { recursive: true });
  perform('tar', ['-xzf', tgz, '-C', library, '--strip-components=1', '--no-same-owner']);
  const licenses = copyright(library);
  prune(library);
  addNode(library);

  const put = (path: string, content: string | Buffer, mode = 0o644): void => {
    mkdirSync(join(root, dirname(path)), { recursive: true });
    writeFileSync(join(root, path), content, { mode });
  };
  const plait = (...words: string[]): string =>
    perform(process.execPath, [join(library, 'dist/src/cli.js'), ...words]);

  put(COMMAND, `#!/bin/sh\nexec ${LIBRARY}/node ${LIBRARY}/dist/src/cli.js "$@"\n`, 0o755);
  put(`/lib/systemd/system/${UNIT}`, unitText(COMMAND));
  put(DEFAULTS_FILE, defaultsText());
  put('/usr/share/bash-completion/completions/plait', plait('completion', 'bash'));
  put('/usr/share/zsh/vendor-completions/_plait', plait('completion', 'zsh'));
  put('/usr/share/fish/vendor_completions.d/plait.fish', plait('completion', 'fish'));
  put('/usr/share/man/man8/plait.8.gz', zip(manPage(plait, version, date)));
  put('/usr/share/doc/plait/copyright', licenses);
  put('/usr/share/doc/plait/changelog.gz', zip(changelog(version, date)));
  put('/usr/share/doc/plait/README.md', readFileSync(join(TOP, 'README.md')));
  put('/usr/share/lintian/overrides/plait', readFileSync(join(TOP, 'src/package/debian/lintian-overrides')));
}

/** Declarations, sources of what is compiled, maps, tests and prose; whole packages that nothing loads. */
function prune(library: string): void {
  const modules = join(library, 'node_modules');
  for (const unused of ['@types', 'undici-types', 'node-addon-api', 'libbpf-ts-bindings/src'])
    rmSync(join(modules, unused), { recursive: true, force: true });
  const superfluous =
    /\.([cm]?ts|map|md|markdown|tsbuildinfo|flow|gyp|ya?ml|sh|html)$|\/(tests?|__tests__|integration|benchmarks?|examples?|docs?|bin)\/|\/\.[a-z]/i;
  for (const entry of readdirSync(modules, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && superfluous.test(path.slice(modules.length))) rmSync(path);
  }
  rmSync(join(library, 'README.md'));
  perform('find', [library, '-type', 'd', '-empty', '-delete']);
  perform('find', [library, '-type', 'f', '-exec', 'chmod', '644', '{}', '+']);
}

function addNode(library: string): void {
  const node = join(library, 'node');
  copyFileSync(process.execPath, node);
  perform('strip', ['--strip-unneeded', node, join(library, NATIVE)]);
  perform('chmod', ['755', node]);
}

/** The addon, below the library. */
export const NATIVE = 'node_modules/libbpf-ts-bindings/build/Release/bpf_ts_bindings.node';

function changelog(version: string, date: number): string {
  const day = new Date(date * 1000).toUTCString().replace('GMT', '+0000');
  const entry = 'See the commits of the project.';
  return `plait (${version}) unstable; urgency=medium\n\n  * ${entry}\n\n -- ${MAINTAINER}  ${day}\n`;
}

export const MAINTAINER = 'Plait <plait@localhost>';

function zip(text: string): Buffer {
  return gzipSync(text, { level: 9 });
}
