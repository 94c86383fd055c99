// Builds the native part with the node-gyp that npm brings along. Configures only when something that configure
// reads has changed, so that a build with nothing to do takes a fraction of a second. Headers come from the
// running node's own prefix when they are there, so that nothing is downloaded.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const prefix = resolve(dirname(process.execPath), '..');
const stampFile = join(root, 'build', 'configured-for');

function headers() {
  return existsSync(join(prefix, 'include', 'node', 'node.h')) ? [`--nodedir=${prefix}`] : [];
}

function findNodeGyp() {
  const npm = process.env.npm_execpath;
  const candidates = [
    npm && join(dirname(npm), '..', 'node_modules', 'node-gyp', 'bin', 'node-gyp.js'),
    join(prefix, 'lib', 'node_modules', 'npm', 'node_modules', 'node-gyp', 'bin', 'node-gyp.js'),
    join(prefix, 'share', 'nodejs', 'node-gyp', 'bin', 'node-gyp.js'),
  ];
  const found = candidates.find((path) => path && existsSync(path));
  if (!found) throw new Error('build addon: node-gyp not found beside npm');
  return found;
}

function run(program, args) {
  const result = spawnSync(program, args, { cwd: root, encoding: 'utf8' });
  if (result.error) throw result.error;
  if (result.status === 0 && !result.stderr.includes('warning:')) return;
  process.stderr.write(`${result.stdout}${result.stderr}`);
  if (result.status !== 0) process.exit(1);
}

const stamp = `${process.version} ${process.arch} ${prefix}\n${readFileSync(join(root, 'binding.gyp'), 'utf8')}`;
const configured = existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp;

if (!configured) {
  run(process.execPath, [findNodeGyp(), 'configure', ...headers()]);
  mkdirSync(dirname(stampFile), { recursive: true });
  writeFileSync(stampFile, stamp);
}
run('make', ['-s', '-C', 'build', '-j2', 'BUILDTYPE=Release']);
