// One virtual machine, by QEMU without hardware support (slow, but it runs everywhere and needs no privilege of the
// processor). It boots a kernel directly, writes nothing to its disks unless told to, and ends with the process that started it.
//
//     const vm = await Vm.boot({ name: 'a', kernel, root: await rootDisk({ kernel, packages: ['iperf3'] }) });
//     try {
//       console.log(await vm.sh('uname -r'));
//     } finally {
//       await vm.end();
//     }

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Channel, type Result } from './channel.js';
import type { Kernel } from './images.js';
import { type Nic, nicArguments } from './nics.js';

const BOOT_TIMEOUT_S = 180;
const CONSOLE_LINES = 25;
// The code cache grows to 1 GiB by default.
const MACHINE = ['-machine', 'q35', '-accel', 'tcg,thread=multi,tb-size=256', '-cpu', 'max'];

export interface VmOptions {
  name: string;
  kernel: Kernel;
  /** A raw disk with the root file system. */
  root: string;
  /** Changes are written to the root disk, so that the next machine on it finds them: give it a copy. */
  writable?: boolean;
  /** Further raw disks, by the name of their mount point below /media, where they are read-only. */
  disks?: Record<string, string>;
  cpus?: number;
  memoryMb?: number;
  nics?: readonly Nic[];
  /** A network namespace for QEMU (and so for its taps): VmNetwork.path. */
  netns?: string;
  /** Boot to systemd: for a root disk that was made with it. */
  systemd?: boolean;
  /** The machine is killed after this time, counted from the start of QEMU. */
  limitSeconds?: number;
  /** Where the console is written to; a temporary file by default. */
  consoleLog?: string;
  /** Further words for the kernel. */
  append?: string;
}

/** The machine did not boot, ended early, or exceeded its time; the message ends with what its console said last. */
export class VmError extends Error {
  readonly code = 'VM_ENDED';
}

export class CommandFailed extends Error {
  constructor(
    machine: string,
    script: string,
    readonly result: Result,
  ) {
    const words = (result.stderr || result.stdout).trim().split('\n').slice(-3).join(' · ');
    super(`run ${script.trim().split('\n')[0]} in ${machine}: exit code ${result.status}: ${words}`);
  }
}

export class Vm {
  readonly #directory: string;
  readonly #qemu: ChildProcess;
  readonly #channel: Channel;
  readonly #exited: Promise<unknown>;
  readonly #consoleLog: string;
  #timer: NodeJS.Timeout | undefined;
  #reason = 'it ended by itself';

  private constructor(
    readonly name: string,
    parts: { directory: string; qemu: ChildProcess; channel: Channel; consoleLog: string },
  ) {
    this.#directory = parts.directory;
    this.#qemu = parts.qemu;
    this.#channel = parts.channel;
    this.#consoleLog = parts.consoleLog;
    this.#exited = once(parts.qemu, 'exit').then(() => this.#close());
    process.once('exit', this.#remove);
  }

  /** Starts a machine and waits until it takes commands. */
  static async boot(options: VmOptions): Promise<Vm> {
    const vm = await Vm.#start(options);
    const boot = setTimeout(
      () => vm.#kill(`it did not boot within ${BOOT_TIMEOUT_S} s`),
      BOOT_TIMEOUT_S * 1000,
    );
    try {
      await vm.#channel.ready;
      return vm;
    } catch (error) {
      await vm.end();
      throw error;
    } finally {
      clearTimeout(boot);
    }
  }

  static async #start(options: VmOptions): Promise<Vm> {
    const directory = mkdtempSync(join(tmpdir(), `plait-vm-${options.name}-`));
    const consoleLog = options.consoleLog ?? join(directory, 'console');
    const socket = join(directory, 'agent');
    const channel = await Channel.listen(socket);
    const errors = openSync(join(directory, 'qemu'), 'w');
    const console = ['-display', 'none', '-chardev', `file,id=console,path=${consoleLog}`];
    const agent = ['-chardev', `socket,id=agent,path=${socket}`, '-device', 'virtio-serial-pci'];
    const port = ['-device', 'virtserialport,chardev=agent,name=plait.agent'];
    const args = [...qemuArguments(options), ...console, '-serial', 'chardev:console', ...agent, ...port];
    // The kernel kills it with us, however we end.
    const command = [
      ...enter(options.netns),
      'setpriv',
      '--pdeathsig',
      'KILL',
      'qemu-system-x86_64',
      ...args,
    ];
    const qemu = spawn(command[0] ?? '', command.slice(1), { stdio: ['ignore', errors, errors] });
    closeSync(errors);
    const vm = new Vm(options.name, { directory, qemu, channel, consoleLog });
    const limit = options.limitSeconds;
    if (limit) vm.#timer = setTimeout(() => vm.#kill(`it exceeded its ${limit} s`), limit * 1000);
    return vm;
  }

  /** Runs a bash script as root and returns what it printed, whatever its exit status. */
  run(script: string, onLine?: (line: string) => void): Promise<Result> {
    return this.#channel.call(script, onLine);
  }

  /** Runs a bash script, which must succeed; returns its output without the last line break. */
  async sh(script: string): Promise<string> {
    const result = await this.run(script);
    if (result.status !== 0) throw new CommandFailed(this.name, script, result);
    return result.stdout.replace(/\n$/, '');
  }

  /** Resolves when the machine has ended, as by a `reboot` inside: QEMU ends instead. */
  async ended(): Promise<void> {
    await this.#exited;
  }

  /** What the console said until now. */
  console(): string {
    return readOr(this.#consoleLog).replaceAll('\r', '');
  }

  /** Ends the machine as a power failure would; nothing of it remains. May be called twice. */
  async end(): Promise<void> {
    this.#kill('it was ended');
    await this.#exited;
    process.off('exit', this.#remove);
    this.#remove();
  }

  /** Also when this process ends first, by a signal say: QEMU dies with it. */
  readonly #remove = (): void => rmSync(this.#directory, { recursive: true, force: true });

  #kill(reason: string): void {
    if (this.#qemu.exitCode !== null || this.#qemu.signalCode !== null) return;
    this.#reason = reason;
    this.#qemu.kill('SIGKILL');
  }

  #close(): void {
    clearTimeout(this.#timer);
    const words = [...this.console().trimEnd().split('\n').slice(-CONSOLE_LINES)];
    const qemu = readOr(join(this.#directory, 'qemu')).trim();
    if (qemu) words.push(`qemu: ${qemu}`);
    this.#channel.close(
      new VmError(`machine ${this.name}: ${this.#reason}; last words:\n${words.join('\n')}`),
    );
  }
}

/** Runs a machine whose console is this terminal, until its shell ends. */
export async function shell(options: VmOptions): Promise<void> {
  const args = qemuArguments({ ...options, append: `plait.shell ${options.append ?? ''}` });
  const console = ['-nographic', '-serial', 'mon:stdio'];
  const command = [...enter(options.netns), 'qemu-system-x86_64', ...args, ...console];
  await once(spawn(command[0] ?? '', command.slice(1), { stdio: 'inherit' }), 'exit');
}

function qemuArguments(options: VmOptions): string[] {
  const { kernel, disks = {}, cpus = 1, memoryMb = 512, nics = [] } = options;
  const init = options.systemd ? '/sbin/init' : '/usr/local/sbin/plait-vm-init';
  // A panic ends QEMU (-no-reboot) instead of a silent wait for the time limit.
  // What guards against the processor's leaks, and a fifth level of page tables, cost an emulated one half its time.
  const quick = 'mitigations=off no5lvl';
  const words = `console=ttyS0 quiet panic=-1 ${quick} init=${init} plait.name=${options.name} ${options.append ?? ''}`;
  return [
    ...MACHINE,
    ...['-nodefaults', '-no-user-config', '-no-reboot', '-smp', `${cpus}`, '-m', `${memoryMb}`],
    ...['-kernel', kernel.vmlinuz, '-initrd', kernel.initrd, '-append', words.trim()],
    ...['-object', 'rng-random,id=rng,filename=/dev/urandom', '-device', 'virtio-rng-pci,rng=rng'],
    ...diskArguments('root', options.root, options.writable ? 'cache=unsafe' : 'snapshot=on'),
    ...Object.entries(disks).flatMap(([name, path]) => diskArguments(`plait-${name}`, path, 'readonly=on')),
    ...nicArguments(nics),
  ];
}

function diskArguments(serial: string, path: string, mode: string): string[] {
  const drive = `if=none,id=${serial},file=${path},format=raw,${mode}`;
  return ['-drive', drive, '-device', `virtio-blk-pci,drive=${serial},serial=${serial}`];
}

const enter = (netns: string | undefined): string[] => (netns ? ['nsenter', `--net=${netns}`, '--'] : []);

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
