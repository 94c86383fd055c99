/*
 * The Debian package, put together with dpkg's own tools. The same inputs give the same bytes: owner root, times of
 * SOURCE_DATE_EPOCH or of the last commit. Compressed with xz at its lowest level: a fifth bigger than at its highest, in
 * a twentieth of the time.
 */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEFAULTS_FILE } from '../install/settings.js';
import { OUT, perform, TOP } from './tools.js';
import { buildTree, MAINTAINER, NATIVE } from './tree.js';

/** The binding's README promises no older libbpf, whatever its symbols would allow. */
const LIBBPF = 'libbpf1 (>= 1:1.1)';
const SCRIPTS = ['postinst', 'prerm', 'postrm'];

export function buildDeb(tgz: string): string {
  const stage = join(OUT, 'stage');
  rmSync(stage, { recursive: true, force: true });
  try {
    return build(tgz, stage);
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}

function build(tgz: string, stage: string): string {
  const { version } = JSON.parse(readFileSync(join(TOP, 'package.json'), 'utf8')) as { version: string };
  const date = Number(process.env.SOURCE_DATE_EPOCH ?? lastCommit());
  const root = join(stage, 'root');
  buildTree({ tgz, root, version, date });
  const debian = join(root, 'DEBIAN');
  mkdirSync(debian);
  for (const script of SCRIPTS) {
    cpSync(join(TOP, 'src/package/debian', script), join(debian, script));
    perform('chmod', ['755', join(debian, script)]);
  }
  writeFileSync(join(debian, 'conffiles'), `${DEFAULTS_FILE}\n`);
  const architecture = perform('dpkg', ['--print-architecture']).trim();
  writeFileSync(join(debian, 'control'), control({ version, architecture, root, stage }));
  writeFileSync(join(debian, 'md5sums'), checksums(root));
  const deb = join(OUT, `plait_${version}_${architecture}.deb`);
  perform('dpkg-deb', ['--root-owner-group', '-Zxz', '-z0', '--build', root, deb], {
    env: { SOURCE_DATE_EPOCH: String(date) },
  });
  return deb;
}

function lastCommit(): string {
  try {
    return perform('git', ['-C', TOP, 'log', '-1', '--format=%ct']).trim();
  } catch {
    return '1767225600'; // not a checkout: any time will do, if it is always the same
  }
}

interface ControlOptions {
  readonly version: string;
  readonly architecture: string;
  readonly root: string;
  readonly stage: string;
}

function control({ version, architecture, root, stage }: ControlOptions): string {
  const size = perform('du', ['-sk', '--apparent-size', '--exclude=DEBIAN', root]).split('\t')[0];
  const depends = [...libraries(root, stage), 'iproute2', 'mount', 'nftables'].sort();
  return `Package: plait
Version: ${version}
Architecture: ${architecture}
Maintainer: ${MAINTAINER}
Installed-Size: ${size}
Depends: ${depends.join(', ')}
Recommends: systemd
Suggests: etcd-server, etcd-client
Section: net
Priority: optional
Description: container overlay network: VXLAN in eBPF
 Containers on different hosts share layer-2 networks as if they sat on one
 switch; between the hosts their frames travel in VXLAN (RFC 7348). The
 datapath is eBPF, loaded and fed by one agent per host; the agents meet in
 etcd, which must be reachable from each of them.
 .
 This package brings the Node.js runtime that the agent runs on.
`;
}

/** What the two binaries need, as dpkg finds it out; it wants to stand beside a debian/control. */
function libraries(root: string, stage: string): string[] {
  mkdirSync(join(stage, 'debian'));
  writeFileSync(join(stage, 'debian/control'), 'Source: plait\n\nPackage: plait\nArchitecture: any\n');
  const library = join(root, 'usr/lib/plait');
  const binaries = ['node', NATIVE].map((file) => `-e${join(library, file)}`);
  const printed = perform('dpkg-shlibdeps', ['-O', '--warnings=0', ...binaries], { cwd: stage });
  const found = printed.trim().replace('shlibs:Depends=', '').split(', ');
  return [...found.filter((name) => !name.startsWith('libbpf1 ')), LIBBPF];
}

function checksums(root: string): string {
  const files = perform('find', ['.', '-type', 'f', '-not', '-path', './DEBIAN/*', '-printf', '%P\\n'], {
    cwd: root,
  });
  return perform('md5sum', files.trim().split('\n').sort(), { cwd: root });
}
