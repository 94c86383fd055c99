// Runs each test file in a process of its own, with a time limit. Needs root, clang, bpftool and iproute2. A file that
// ran no test has failed: uvu 0.5.6 exits with 0 when run() was forgotten.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const limitMs = 60_000;
const directory = fileURLToPath(new URL('../dist/test/', import.meta.url));
const files = readdirSync(directory).filter((name) => name.endsWith('.test.js'));

const failed = files.filter((name) => {
  const { status, stdout, signal } = spawnSync(process.execPath, [directory + name], {
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
    timeout: limitMs,
  });
  process.stdout.write(stdout);
  if (signal) console.log(`${name}: ended by ${signal}`);
  return status !== 0 || !/^ *Passed: +[1-9]/m.test(stdout);
});
console.log(
  `${files.length - failed.length} passed, ${failed.length} failed${failed.map((f) => ` ${f}`).join('')}`,
);
process.exitCode = failed.length > 0 || files.length === 0 ? 1 : 0;
