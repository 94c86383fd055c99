/*
 * Swarm takes network drivers from managed plugins alone. This one does nothing by itself: its only process makes a link, where dockerd looks
 * for the plugin's socket, to the socket of the agent, and sleeps. So the agent comes and goes as it likes, and dockerd keeps
 * the plugin. No registry, no capabilities, 2 MB.
 */
import { copyFile, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PlaitError } from '../model/errors.js';
import { run } from '../net/run.js';
import { type EngineApi, EngineError } from './engine-api.js';
import { DRIVER_NAME } from './protocol.js';

const BUSYBOX = '/bin/busybox';

/** @param socket of the agent, as seen by dockerd. Throws EngineError, PlaitError NO_BUSYBOX. Can be repeated. */
export async function installPlugin(api: EngineApi, socket: string): Promise<void> {
  if ((await api.plugin(DRIVER_NAME)) !== undefined) await api.removePlugin(DRIVER_NAME);
  await api.createPlugin(DRIVER_NAME, await archive(socket));
  try {
    await api.enablePlugin(DRIVER_NAME);
  } catch (error) {
    await api.removePlugin(DRIVER_NAME).catch(() => undefined);
    if (!(error instanceof EngineError)) throw error;
    throw new PlaitError('PLUGIN_FAILED', error.message, {
      hint: `is the agent up, with --docker ${socket}? \`plait status\``,
      cause: error,
    });
  }
}

/** False if there was none. Throws EngineError. */
export async function uninstallPlugin(api: EngineApi): Promise<boolean> {
  if ((await api.plugin(DRIVER_NAME)) === undefined) return false;
  await api.removePlugin(DRIVER_NAME);
  return true;
}

async function archive(socket: string): Promise<Buffer> {
  const root = await mkdtemp(join(tmpdir(), 'plait-plugin-'));
  try {
    await mkdir(join(root, 'rootfs/bin'), { recursive: true });
    await checkBusybox();
    await copyFile(BUSYBOX, join(root, 'rootfs/bin/busybox'));
    await writeFile(join(root, 'config.json'), JSON.stringify(pluginConfig(socket)));
    const tar = join(root, 'plugin.tar');
    await run('tar', ['-C', root, '-cf', tar, 'config.json', 'rootfs'], { doing: 'pack the plugin' });
    return await readFile(tar);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function checkBusybox(): Promise<void> {
  const found = await stat(BUSYBOX).catch(() => undefined);
  if (found !== undefined) return;
  throw new PlaitError('NO_BUSYBOX', `make the plugin: ${BUSYBOX} is not there`, {
    hint: 'apt-get install busybox-static',
  });
}

/** The socket's directory in there is one of the host's, which dockerd gives to this plugin alone. */
function pluginConfig(socket: string): object {
  const place = `/run/docker/plugins/${DRIVER_NAME}.sock`;
  return {
    description: 'Plait: the agent of this host is the driver',
    documentation: '',
    entrypoint: [
      '/bin/busybox',
      'sh',
      '-c',
      `/bin/busybox ln -sfn "$0" ${place}; exec /bin/busybox sleep 2147483647`,
      socket,
    ],
    workdir: '/',
    interface: {
      types: ['docker.networkdriver/1.0', 'docker.ipamdriver/1.0'],
      socket: `${DRIVER_NAME}.sock`,
    },
    network: { type: 'none' },
    linux: { capabilities: [] },
    args: {},
    env: [],
    mounts: [],
    propagatedMount: '',
  };
}
