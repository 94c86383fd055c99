/*
 * The far end of measurements: the tools' servers, and an HTTP server that tells what this machine has counted. Nothing of it
 * asks who is there, and whoever reaches it can keep the machine busy: it is for a test, on a network one trusts.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Job } from '../lab/exec.js';
import { waitFor } from '../lab/wait.js';
import { PlaitError } from '../model/errors.js';
import { run } from '../net/run.js';
import { readCounters } from './counters.js';
import { thisMachine } from './machine.js';
import { CONTROL_PORT } from './ports.js';
import { invocationIn } from './programs.js';
import { SERVER_TOOLS, type ServerName, type ServerProgram, serverPrograms } from './server-programs.js';
import { requireTools } from './tools.js';

export interface BenchServer {
  /** Rejects when one of the servers ends by itself. */
  readonly failure: Promise<never>;
  /** Ends the servers and removes their files. */
  close: () => Promise<void>;
}

/** Starts the servers of this network namespace and waits until all of them listen. */
export async function startServers(names: readonly ServerName[]): Promise<BenchServer> {
  requireTools(names.map((name) => SERVER_TOOLS[name]));
  const directory = await mkdtemp(path.join(tmpdir(), 'plait-bench-'));
  const jobs: Job[] = [];
  let control: Server | undefined;
  const close = async (): Promise<void> => {
    control?.closeAllConnections();
    control?.close();
    await Promise.all(jobs.map((job) => job.stop('SIGKILL')));
    await rm(directory, { recursive: true, force: true });
  };
  try {
    const programs = names.flatMap((name) => serverPrograms(name, directory));
    for (const { protocol, port } of programs) await refuseIfTaken(protocol, port);
    for (const program of programs) jobs.push(new Job(invocationIn({}, program.argv)));
    for (const [index, job] of jobs.entries()) await listening(job, programs[index]);
    control = await answer(names);
    const failure = Promise.race(jobs.map(ended));
    failure.catch(() => {}); // seen by who waits for it
    return { failure, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function refuseIfTaken(protocol: 'tcp' | 'udp', port: number): Promise<void> {
  if (!(await isListening(protocol, port))) return;
  throw new PlaitError('PORT_TAKEN', `start servers: ${protocol} port ${port} is taken`, {
    hint: `end what \`ss -lnp sport = :${port}\` shows; another \`plait bench --server\`?`,
  });
}

async function listening(job: Job, program: ServerProgram | undefined): Promise<void> {
  if (!program) return;
  const { argv, protocol, port } = program;
  await waitFor(`${argv[0]} to listen at ${protocol} port ${port}`, async () => {
    if (!job.isRunning) throw new Error(`start ${argv.join(' ')}: ${(await job.outcome).stderr.trim()}`);
    return isListening(protocol, port);
  });
}

async function isListening(protocol: 'tcp' | 'udp', port: number): Promise<boolean> {
  const found = await run('ss', ['-Hln', `--${protocol}`, `sport = :${port}`], { doing: 'list listeners' });
  return found !== '';
}

async function ended(job: Job): Promise<never> {
  const { stdout, stderr } = await job.outcome;
  const words = (stderr || stdout).trim().split('\n').slice(-1)[0];
  throw new Error(`keep the servers running: one has ended${words ? `: ${words}` : ''}`);
}

function answer(servers: readonly ServerName[]): Promise<Server> {
  const server = createServer((_request, response) => {
    void readCounters().then((counters) => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ machine: thisMachine(), counters, servers }));
    });
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(CONTROL_PORT, () => resolve(server));
  });
}
