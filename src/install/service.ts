/*
 * The agent as a service, for installations that bring no unit: by npm, and from source. Installing again is how
 * settings are changed. Uninstalling removes what was written here and nothing else; a unit or settings of somebody
 * else are refused, or left.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PlaitError } from '../model/errors.js';
import { CommandFailed } from '../net/run.js';
import { DEFAULTS_FILE, defaultsText, isOwnDefaults, updateDefaults, type Values } from './settings.js';
import { isEnabled, isRunning, systemctl } from './systemd.js';
import { UNIT, unitText } from './unit.js';

const UNIT_FILE = `/etc/systemd/system/${UNIT}`;
/** Where packages put theirs. */
const PACKAGED = [`/lib/systemd/system/${UNIT}`, `/usr/lib/systemd/system/${UNIT}`];
const MARK = '# Written by `plait service install`; `plait service uninstall` removes it.\n';

/** @param command what starts `plait`: interpreter and script */
export async function installService(command: readonly string[], values: Values): Promise<void> {
  const doing = 'install service';
  await refuse(doing);
  const settings = await readFile(DEFAULTS_FILE, 'utf8').catch(() => defaultsText());
  await write(DEFAULTS_FILE, updateDefaults(settings, values), doing);
  await write(UNIT_FILE, MARK + unitText(command.map(quoted).join(' ')), doing);
  await systemctl(['daemon-reload'], doing);
  await systemctl(['--quiet', 'enable', UNIT], doing);
  await systemctl(['restart', UNIT], `start ${UNIT}`).catch((error) => {
    if (!(error instanceof CommandFailed)) throw error;
    throw new PlaitError('SERVICE_FAILED', `start ${UNIT}: the agent ended or does not answer`, {
      hint: `journalctl -u ${UNIT} says why; it is tried again until \`plait service uninstall\``,
      cause: error,
    });
  });
}

/**
 * Nothing to remove is fine. A unit from before a package was installed hides the package's, and only this removes it;
 * the settings are the package's by then.
 */
export async function removeService(): Promise<void> {
  const doing = 'uninstall service';
  const isOurs = (await readFile(UNIT_FILE, 'utf8').catch(() => '')).startsWith(MARK);
  const isHiding = isOurs && packagedUnit() !== undefined;
  if (!isHiding) await refuse(doing);
  if (existsSync(UNIT_FILE)) {
    await systemctl(['--quiet', 'disable', '--now', UNIT], doing);
    await rm(UNIT_FILE);
    await systemctl(['daemon-reload'], doing);
    await systemctl(['reset-failed', UNIT], doing).catch(() => undefined); // it had not failed
  }
  if (isHiding) return;
  const settings = await readFile(DEFAULTS_FILE, 'utf8').catch(() => '');
  if (isOwnDefaults(settings)) await rm(DEFAULTS_FILE);
}

export function packagedUnit(): string | undefined {
  return PACKAGED.find((path) => existsSync(path));
}

async function refuse(doing: string): Promise<void> {
  const packaged = packagedUnit();
  if (packaged !== undefined) {
    const next = (await isEnabled(UNIT)) ? `restart ${UNIT}` : `enable --now ${UNIT}`;
    throw new PlaitError('SERVICE_PACKAGED', `${doing}: a package has brought ${packaged}`, {
      hint: `its settings are in ${DEFAULTS_FILE}; then: systemctl ${next}`,
    });
  }
  if (!isRunning()) {
    throw new PlaitError('NO_SYSTEMD', `${doing}: systemd does not run this machine`, {
      hint: 'let its own init run `plait agent`; it stays in the foreground and logs to stderr',
    });
  }
  const unit = await readFile(UNIT_FILE, 'utf8').catch(() => MARK);
  if (!unit.startsWith(MARK)) {
    throw new PlaitError('SERVICE_FOREIGN', `${doing}: ${UNIT_FILE} is somebody else's`, {
      hint: 'remove or rename it first',
    });
  }
}

async function write(path: string, content: string, doing: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content).catch((error: NodeJS.ErrnoException) => {
    throw new PlaitError('NOT_WRITTEN', `${doing}: write ${path}: ${error.message}`, {
      hint: error.code === 'EACCES' ? 'run this as root' : undefined,
    });
  });
}

/** As systemd reads command lines. */
function quoted(word: string): string {
  return /^[\w./@+-]+$/.test(word) ? word : `"${word.replace(/[\\"]/g, '\\$&').replace(/[%$]/g, '$&$&')}"`;
}
