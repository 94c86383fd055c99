/*
 * bpf/bench/limit.bpf.c in place of the datapath, on two nodes of a lab with one container each: its constants are taken
 * from what the lab has, and the pinned links are switched to its programs and back, in one step as at an upgrade.
 */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { BpfLink, type BpfObject, BpfProgram, features, openObject } from 'libbpf-ts-bindings';
import { Pins } from '../../src/datapath/pins.js';
import type { Lab } from '../../src/lab/lab.js';
import type { Host } from '../../src/lab/topology.js';
import { pathsFor } from '../../src/model/paths.js';
import { be16, checksum, ip, mac } from '../packet/support/bytes.js';

const OBJECT = fileURLToPath(new URL('../../bpf/limit.o', import.meta.url));
const PROGRAMS = ['from_container', 'from_underlay'] as const;
const VXLAN_PORT = 4789;
const SOURCE_PORT = 50_000;
const HOST_END = /^pl[0-9a-f]{11}$/;

/** A container and the node that it is on. */
export interface Member {
  node: Host;
  container: string;
  address: string;
}

interface Link {
  ifname: string;
  ifindex: number;
  address: string;
}

interface Side {
  pins: Pins;
  /** Name of the link that runs from_container. */
  hostEnd: string;
  limit: BpfObject;
}

export class Limit {
  readonly #sides: readonly Side[];

  private constructor(sides: readonly Side[]) {
    this.#sides = sides;
  }

  /** Loads the programs and attaches nothing. The containers' neighbours are made permanent: nobody will answer. */
  static async load(lab: Lab, members: readonly [Member, Member], vni: number): Promise<Limit> {
    const [a, b] = members;
    return new Limit([await load(lab, a, b, vni), await load(lab, b, a, vni)]);
  }

  /** Makes the limit's programs run, or the datapath's again. */
  use(which: 'limit' | 'plait'): void {
    for (const side of this.#sides) {
      for (const name of PROGRAMS) {
        const link = BpfLink.openPinned(side.pins.link(name === 'from_container' ? side.hostEnd : name));
        const own = which === 'plait' ? BpfProgram.openPinned(side.pins.program(name)) : undefined;
        try {
          link.update(own ?? side.limit.program(name));
        } finally {
          own?.close();
          link.close();
        }
      }
    }
  }

  close(): void {
    for (const { limit } of this.#sides) limit.close();
  }
}

async function load(lab: Lab, here: Member, there: Member, vni: number): Promise<Side> {
  const [inside] = await links(lab, here.container, 'dev eth0');
  const [beyond] = await links(lab, there.container, 'dev eth0');
  const [underlay] = await links(lab, here.node.name, 'dev eth0');
  const hostEnd = (await links(lab, here.node.name, 'type veth')).find(({ ifname }) => HOST_END.test(ifname));
  if (!inside || !beyond || !underlay || !hostEnd)
    throw new Error(`find the devices of ${here.container}: some are missing`);
  await lab.sh(
    here.container,
    `ip neigh replace ${there.address} lladdr ${beyond.address} dev eth0 nud permanent`,
  );
  const limit = openObject(OBJECT);
  try {
    limit.setRodata({
      underlay_ifindex: underlay.ifindex,
      next_hop: ip(there.node.address),
      endpoint_ifindex: hostEnd.ifindex,
      decap_l3_flags: features.decapL3(),
      outer: words(Buffer.concat([outer(here, there, vni), ethernet(beyond.address, inside.address)])),
      inner: words(ethernet(inside.address, beyond.address)),
    });
    await limit.load();
  } catch (error) {
    limit.close();
    throw error;
  }
  const pins = new Pins(pathsFor(path.resolve(lab.root(here.node.name))).bpf);
  return { pins, hostEnd: hostEnd.ifname, limit };
}

async function links(lab: Lab, member: string, which: string): Promise<Link[]> {
  return JSON.parse(await lab.sh(member, `ip -j link show ${which}`)) as Link[];
}

/** IP, UDP and VXLAN, with lengths of 0. */
function outer(here: Member, there: Member, vni: number): Buffer {
  const header = Buffer.concat([
    ...[
      Buffer.from([0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0]),
      ip(here.node.address),
      ip(there.node.address),
    ],
    ...[be16(SOURCE_PORT), be16(VXLAN_PORT), be16(0), be16(0)],
    Buffer.from([8, 0, 0, 0, vni >> 16, vni >> 8, vni, 0]),
  ]);
  header.writeUInt16BE(checksum(header.subarray(0, 20)), 10);
  return header;
}

function ethernet(to: string, from: string): Buffer {
  return Buffer.concat([mac(to), mac(from), be16(0x0800)]);
}

/** As an array of __u16 lies in memory. */
function words(bytes: Buffer): number[] {
  return Array.from({ length: bytes.length / 2 }, (_, i) => bytes.readUInt16LE(2 * i));
}
