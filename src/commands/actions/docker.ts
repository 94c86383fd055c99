import { EngineApi } from '../../docker/engine-api.js';
import { installPlugin, uninstallPlugin } from '../../docker/managed-plugin.js';
import { PLUGIN_SOCKET } from '../../docker/plugin.js';
import { PLUGIN_NAME } from '../../docker/protocol.js';
import { print, warn } from '../../output/print.js';
import type { DockerFlags } from '../docker.js';

export async function install({ dockerHost, socket }: DockerFlags): Promise<void> {
  await installPlugin(new EngineApi(dockerHost), socket || PLUGIN_SOCKET);
  print(`Docker has the plugin ${PLUGIN_NAME}, for services, too.`);
}

export async function uninstall({ dockerHost }: DockerFlags): Promise<void> {
  const wasThere = await uninstallPlugin(new EngineApi(dockerHost));
  if (wasThere) print(`Docker has lost the plugin ${PLUGIN_NAME}.`);
  else warn(`Docker has no plugin ${PLUGIN_NAME}`);
}
