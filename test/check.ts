// `npm run check`: everything that can be said of the tree without running it. Each check prints one line when it
// holds, and what is wrong when it does not; all of them run, so that one call shows everything.

import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const TOP = join(import.meta.dirname, '..', '..');
const MAX_LINES = 400;
const TYPES = 'src/datapath/types.gen.ts';

interface Check {
  name: string;
  /** What is wrong; empty when all is well. */
  run: () => Promise<string>;
}

const CHECKS: Check[] = [
  {
    name: 'format and lint (biome)',
    run: () => command('node_modules/.bin/biome', 'ci', '--colors=off', '.'),
  },
  {
    name: 'types',
    run: () => command('node_modules/.bin/tsc', '-p', 'tsconfig.json', '--noEmit', '--incremental', 'false'),
  },
  { name: 'types of the addon', run: () => command('node_modules/.bin/tsc', '-p', 'addon', '--noEmit') },
  { name: 'format of C and C++ (clang-format)', run: clangFormat },
  { name: 'shell scripts parse', run: () => command('bash', '-n', 'vagrant/provision.sh', '.ci/run') },
  { name: `${TYPES} is what the BPF object says`, run: generatedTypes },
  { name: 'no unfinished marks', run: unfinishedMarks },
  { name: `no file over ${MAX_LINES} lines`, run: longFiles },
  { name: 'iproute2 and nft are called in src/net, src/lab and src/bench only', run: strayCommands },
];

const execute = promisify(execFile);

async function command(file: string, ...args: string[]): Promise<string> {
  try {
    await execute(file, args, { cwd: TOP, maxBuffer: 64 << 20 });
    return '';
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    return `${stdout}${stderr}`.trim() || String(error);
  }
}

/** C is in the kernel's style wherever it is; C++ in the style of its own folder. */
async function clangFormat(): Promise<string> {
  const check = (style: string, name: RegExp): Promise<string> => {
    const files = sources(['bpf', 'addon/src', 'addon/test'], name);
    return command('clang-format', `--style=${style}`, '--dry-run', '-Werror', ...files);
  };
  const problems = [
    await check('file:.clang-format', /^(bpf\/.*\.h|.*\.c)$/),
    await check('file', /^addon\/.*\.(cc|h)$/),
  ];
  return problems.filter((problem) => problem !== '').join('\n');
}

async function generatedTypes(): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'plait-check-'));
  try {
    const fresh = join(dir, 'types.gen.ts');
    const failure = await command('node', 'addon/dist/bin/gen.js', 'dist/bpf/plait.bpf.o', fresh);
    if (failure) return failure;
    if (readFileSync(fresh, 'utf8') === readFileSync(join(TOP, TYPES), 'utf8')) return '';
    return `${await command('diff', '-u', TYPES, fresh)}\nrun \`npm run gen\` and commit the result`;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function unfinishedMarks(): Promise<string> {
  // Written so that this line is not one of them.
  const marks = /\b(TO[D]O|FIX[M]E|XX[X])\b/;
  return linesMatching(sources(['src', 'bpf', 'addon', 'test', 'vagrant'], /\.(ts|c|h|cc|sh|md)$/), marks);
}

async function longFiles(): Promise<string> {
  return sources(['src', 'bpf', 'addon', 'test'], /\.(ts|c|h|cc)$/)
    .filter((file) => !/\.gen\.ts$|vmlinux\.h$/.test(file))
    .map((file) => ({ file, lines: read(file).split('\n').length - 1 }))
    .filter(({ lines }) => lines > MAX_LINES)
    .map(({ file, lines }) => `${file}: ${lines} lines`)
    .join('\n');
}

async function strayCommands(): Promise<string> {
  const files = sources(['src'], /\.ts$/).filter((file) => !/^src\/(net|lab|bench)\//.test(file));
  return linesMatching(
    files,
    /(?:execFile|execFileSync|spawn|spawnSync|run)\(\s*'(?:ip|nft|nsenter|mount|sysctl|tc)'/,
  );
}

function linesMatching(files: string[], pattern: RegExp): string {
  return files
    .flatMap((file) =>
      read(file)
        .split('\n')
        .map((line, index) => ({ line, place: `${file}:${index + 1}` })),
    )
    .filter(({ line }) => pattern.test(line))
    .map(({ line, place }) => `${place}: ${line.trim()}`)
    .join('\n');
}

/** Source files below these folders, as paths from the top; never what a build or npm made. */
function sources(folders: string[], name: RegExp): string[] {
  const made = /(^|\/)(dist|build|node_modules)\//;
  return folders.flatMap((folder) =>
    readdirSync(join(TOP, folder), { recursive: true, encoding: 'utf8' })
      .map((file) => `${folder}/${file}`)
      .filter((file) => name.test(file) && !made.test(file))
      .sort(),
  );
}

const read = (file: string): string => readFileSync(join(TOP, file), 'utf8');

let failed = 0;
for (const check of CHECKS) {
  const problem = await check.run();
  console.log(`${problem ? 'FAILED' : 'ok    '}  ${check.name}`);
  if (problem) {
    failed += 1;
    console.log(problem.replace(/^/gm, '        '));
  }
}
console.log(failed === 0 ? 'check: all is well' : `check: ${failed} of ${CHECKS.length} failed`);
process.exitCode = failed === 0 ? 0 : 1;
