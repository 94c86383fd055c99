// The ends of a guest's network interfaces on the host, and a network between guests.
//
// `tap` with a VmNetwork is the quick one (the kernel's bridge between taps that carry offloads and several queues),
// `mcast` needs nothing on the host, `user` is QEMU's own NAT towards the host's network: packages can be downloaded.

import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);

export type Nic =
  | { kind: 'user'; mac?: string }
  | { kind: 'mcast'; group: string; mac?: string }
  | { kind: 'tap'; tap: string; mac?: string; queues?: number };

/** QEMU's arguments for a guest's interfaces, in the order in which the guest sees them. */
export function nicArguments(nics: readonly Nic[]): string[] {
  return nics.flatMap((nic, index) => {
    const id = `net${index}`;
    const mac = nic.mac ?? `52:54:00:00:00:${(index + 1).toString(16).padStart(2, '0')}`;
    const queues = nic.kind === 'tap' ? (nic.queues ?? 1) : 1;
    // Two vectors per queue pair, one for the control queue, one for changes of the configuration.
    const multi = queues > 1 ? `,mq=on,vectors=${2 * queues + 2}` : '';
    return ['-netdev', netdev(nic, id, queues), '-device', `virtio-net-pci,netdev=${id},mac=${mac}${multi}`];
  });
}

function netdev(nic: Nic, id: string, queues: number): string {
  switch (nic.kind) {
    case 'user':
      return `user,id=${id}`;
    case 'mcast':
      return `socket,id=${id},mcast=${nic.group},localaddr=127.0.0.1`;
    case 'tap':
      return `tap,id=${id},ifname=${nic.tap},script=no,downscript=no${queues > 1 ? `,queues=${queues}` : ''}`;
  }
}

/** A bridge in a network namespace of its own. Guests that are started in that namespace open taps on it. */
export class VmNetwork {
  readonly path: string;
  #taps = 0;

  private constructor(
    readonly name: string,
    readonly mtu: number,
  ) {
    this.path = `/run/netns/${name}`;
    process.once('exit', this.#remove);
  }

  static async create(name: string, { mtu = 1500 } = {}): Promise<VmNetwork> {
    await execute('ip', ['netns', 'add', name]);
    const network = new VmNetwork(name, mtu);
    try {
      await network.#ip('link set lo up');
      await network.#ip(`link add br0 type bridge mcast_snooping 0`);
      await network.#ip(`link set br0 mtu ${mtu} up`);
    } catch (error) {
      await network.close();
      throw error;
    }
    return network;
  }

  /** Adds a tap to the bridge. A tap of several queues can only be opened as one. */
  async tap(options: { queues?: number; mac?: string } = {}): Promise<Nic> {
    const tap = `tap${this.#taps++}`;
    const queues = options.queues ?? 1;
    await this.#ip(`tuntap add dev ${tap} mode tap vnet_hdr${queues > 1 ? ' multi_queue' : ''}`);
    await this.#ip(`link set ${tap} mtu ${this.mtu} master br0 up`);
    return { kind: 'tap', tap, queues, ...(options.mac ? { mac: options.mac } : {}) };
  }

  async close(): Promise<void> {
    process.off('exit', this.#remove);
    await execute('ip', ['netns', 'delete', this.name]);
  }

  /** When this process ends first. */
  readonly #remove = (): void => void execFileSync('ip', ['netns', 'delete', this.name]);

  async #ip(line: string): Promise<void> {
    await execute('ip', ['-n', this.name, ...line.split(' ')]);
  }
}
