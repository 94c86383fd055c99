// A bare Debian machine that survives a reboot, with what the person who has it set up before they heard of Plait: a
// network towards the Debian mirrors (the first interface), an address on a network with the others (the second), and
// the files that they were given.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Kernel } from '../vm/images.js';
import { Vm } from '../vm/vm.js';

const execute = promisify(execFile);

export interface MachineOptions {
  name: string;
  /** On the underlay, without prefix length. */
  address: string;
  kernel: Kernel;
  /** A root disk with systemd, of which a copy is made. */
  root: string;
  /** A disk with the files that the person has; they appear in /root. */
  files: string;
  /** For the copy. */
  directory: string;
  /** host:port of a multicast group that stands for the underlay's switch. */
  group: string;
}

const MEMORY_MB = 700;
const LIMIT_S = 2700;
const PAUSE_MS = 3000;

export class Machine {
  #vm: Vm;
  readonly #options: MachineOptions;
  readonly #disk: string;

  private constructor(options: MachineOptions, disk: string, vm: Vm) {
    this.#options = options;
    this.#disk = disk;
    this.#vm = vm;
  }

  get name(): string {
    return this.#options.name;
  }

  static async create(options: MachineOptions): Promise<Machine> {
    const disk = join(options.directory, `${options.name}.raw`);
    await execute('cp', ['--sparse=always', options.root, disk]);
    const machine = new Machine(options, disk, await boot(options, disk));
    try {
      await machine.sh(setup(options));
      return machine;
    } catch (error) {
      await machine.end();
      throw error;
    }
  }

  /** Runs a bash script in /root; it must succeed. Returns what it printed. */
  sh(script: string): Promise<string> {
    return this.#vm.sh(`export HOME=/root; cd /root\n${script}`);
  }

  /** Runs it until it succeeds, with pauses: what is asked costs the machine more than what is waited for. */
  async until(script: string, seconds = 300): Promise<string> {
    const deadline = Date.now() + seconds * 1000;
    for (;;) {
      const result = await this.#vm.run(`cd /root\n${script}`);
      if (result.status === 0) return result.stdout.trimEnd();
      if (Date.now() > deadline) {
        throw new Error(`${this.name}: not within ${seconds} s: ${script}\n${result.stdout}${result.stderr}`);
      }
      await sleep(PAUSE_MS);
    }
  }

  async reboot(): Promise<void> {
    await this.#vm.run('systemctl reboot');
    await this.#vm.ended();
    await this.#vm.end();
    this.#vm = await boot(this.#options, this.#disk);
  }

  console(): string {
    return this.#vm.console();
  }

  async end(): Promise<void> {
    await this.#vm.end();
  }
}

function boot({ name, kernel, files, group }: MachineOptions, root: string): Promise<Vm> {
  return Vm.boot({
    name,
    kernel,
    root,
    writable: true,
    systemd: true,
    disks: { files },
    memoryMb: MEMORY_MB,
    nics: [
      { kind: 'user', mac: mac(name, 1) },
      { kind: 'mcast', group, mac: mac(name, 2) },
    ],
    limitSeconds: LIMIT_S,
  });
}

/** Different on each machine: they share a wire. */
function mac(name: string, nic: number): string {
  return `52:54:00:00:0${name.slice(-1)}:0${nic}`;
}

/** QEMU's own network has its name server at 10.0.2.3. "Assume yes" is the person who answers apt's question. */
function setup({ name, address }: MachineOptions): string {
  return `
    set -e
    echo ${name} >/etc/hostname; hostname ${name}; printf '127.0.0.1 localhost\\n127.0.1.1 ${name}\\n::1 localhost\\n' >/etc/hosts
    printf '[Match]\\nMACAddress=${mac(name, 1)}\\n[Network]\\nDHCP=ipv4\\n' >/etc/systemd/network/10-outside.network
    printf '[Match]\\nMACAddress=${mac(name, 2)}\\n[Network]\\nAddress=${address}/24\\nLinkLocalAddressing=no\\n' \\
      >/etc/systemd/network/10-underlay.network
    systemctl --quiet enable --now systemd-networkd 2>/dev/null
    echo nameserver 10.0.2.3 >/etc/resolv.conf
    echo 'APT::Get::Assume-Yes "true";' >/etc/apt/apt.conf.d/90yes
    until [ "$(ip -4 route show default)" ] && ip -4 address | grep -q ${address}; do sleep 0.2; done
    mkdir -p /media/files
    mount -o ro "/dev/$(basename "$(dirname "$(grep -l '^plait-files$' /sys/block/vd*/serial)")")" /media/files
    cp -r /media/files/root/. /root/
    if [ -d /media/files/node-${name} ]; then cp -a /media/files/node-${name}/. /usr/local/; fi
    umount /media/files
    rmdir /media/files
    apt-get -q update`;
}
