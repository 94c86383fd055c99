/* The agent as a process: its log, its signals, its end. */
import { readFileSync } from 'node:fs';
import pino, { type Logger } from 'pino';
import { openLink } from '../cluster/open-link.js';
import type { XdpOption } from '../datapath/xdp-choice.js';
import { pathsFor } from '../model/paths.js';
import type { LinkMode } from '../net/netkit.js';
import { run } from '../net/run.js';
import { type AgentOptions, startAgent } from './agent.js';
import { textLines } from './log-text.js';
import { type NodeOptions, nodeSettings } from './settings.js';

export interface AgentProcessOptions {
  readonly root?: string | undefined;
  readonly node: NodeOptions;
  readonly socketGroup?: string | undefined;
  readonly xdp: XdpOption;
  readonly deliverOnVeth: boolean;
  readonly docker?: AgentOptions['docker'];
  readonly link: LinkMode;
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error';
  readonly logFormat: 'json' | 'text';
}

/** Runs until a signal ends it, or until the host has left the cluster. Rejects when the agent cannot start. */
export async function runAgent(options: AgentProcessOptions): Promise<void> {
  const log = createLog(options);
  const ending = endOfProcess(log);
  const { state } = pathsFor(options.root);
  const { cluster, ...settings } = await nodeSettings(state, options.node);
  const agent = await startAgent({
    root: options.root,
    ...settings,
    openCluster: (node) => openLink(cluster, { ...node, state, log }),
    socketGroup: options.socketGroup,
    xdp: options.xdp,
    deliverOnVeth: options.deliverOnVeth,
    docker: options.docker,
    link: options.link,
    version: packageVersion(),
    log,
  });
  await notifyReady(log);
  const left = agent.left.then(() => 'left' as const).finally(() => agent.close());
  left.catch(() => undefined); // a signal that came first ends the process all the same
  const end = await Promise.race([ending, left]);
  if (end === 'left') {
    log.info('the host has left the cluster');
    return;
  }
  log.info({ signal: end }, 'stopping; traffic goes on');
  await agent.close();
  log.info('stopped');
}

/** Resolves at the first signal. The second one ends the process there and then. */
function endOfProcess(log: Logger): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let wasAsked = false;
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        if (wasAsked) {
          log.warn({ signal }, 'stopping at once');
          process.exit(1);
        }
        wasAsked = true;
        resolve(signal);
      });
    }
  });
}

/** Tells systemd, when it started us and wants to know (`Type=notify`), that the API answers. */
async function notifyReady(log: Logger): Promise<void> {
  if (process.env.NOTIFY_SOCKET === undefined) return;
  await run('systemd-notify', ['--ready'], { doing: 'tell systemd that the agent is up' }).catch((error) =>
    log.warn({ err: error }, 'systemd does not know that the agent is up'),
  );
}

/** To stderr: what a command prints on stdout is data. Synchronous, so that a crash loses no line. */
function createLog({ logLevel, logFormat }: AgentProcessOptions): Logger {
  const destination = pino.destination({ dest: 2, sync: true });
  return pino(
    { level: logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    logFormat === 'json' ? destination : textLines(destination),
  );
}

function packageVersion(): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
