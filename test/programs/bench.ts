/*
 * The datapath and what it is measured beside, ready for test runs: the empty programs, the calibration, a tunnel for
 * from_vxlan, and a namespace with members to flood. Nothing is pinned.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import {
  BpfMap,
  type BpfObject,
  type BpfProgram,
  interfaceIndex,
  mapFlags,
  openObject,
  type TestRunOptions,
  u32,
} from 'libbpf-ts-bindings';
import { Generation } from '../../src/datapath/generation.js';
import { EndpointFlags, floodMemberCodec } from '../../src/datapath/types.gen.js';
import { PlaitError } from '../../src/model/errors.js';
import { alice, carol, peer, VNI } from '../packet/support/actors.js';
import { ip } from '../packet/support/bytes.js';
import { isXdp, type Program, type RunOptions, TestDatapath } from '../packet/support/datapath.js';
import { eth, ipv4, Protocol, udp } from '../packet/support/frames.js';
import { type Case, type Expected, nameOf } from './cases.js';

/** The name of the fixed piece of work among the cases. */
export const CALIBRATION = 'calibration';

const OBJECT = fileURLToPath(new URL('../../bpf/calibration.o', import.meta.url));
/** Values of skb->mark, by which through_tunnel goes on. */
const TO_FROM_VXLAN = 0;
const TO_EMPTY = 1;
const MEMBERS = ['m1', 'm2', 'm3', 'm4'];
/** The members' slots in endpoint_counters. */
const FIRST_SLOT = 11;

/** adjust_room wants an IP packet. Never another one: see bpf/bench/calibration.bpf.c. */
const CALIBRATION_FRAME = eth(
  carol.mac,
  alice.mac,
  'ipv4',
  ipv4({ from: alice.ip4, to: carol.ip4, protocol: Protocol.udp }, udp(7, 7, Buffer.alloc(64))),
);

/** A program with the packet that it gets. */
export interface Timed {
  program: BpfProgram;
  input: TestRunOptions;
}

export interface TimedCase {
  name: string;
  run: Timed;
  /** What the same run takes with nothing in it. */
  base: Timed;
}

export class Bench {
  readonly #datapath: TestDatapath;
  /** The same in generation 0, in which nothing is remembered. */
  readonly #forgetting: TestDatapath;
  readonly #beside: BpfObject;
  #namespace: { name: string; list: BpfMap } | undefined;

  private constructor(datapath: TestDatapath, forgetting: TestDatapath, beside: BpfObject) {
    this.#datapath = datapath;
    this.#forgetting = forgetting;
    this.#beside = beside;
  }

  static async load(): Promise<Bench> {
    const bench = new Bench(await TestDatapath.load(), await TestDatapath.load(), openObject(OBJECT));
    try {
      bench.#beside.setRodata({ tunnel_vni: VNI, tunnel_from: ip(peer.ip4).readUInt32BE() });
      await bench.#beside.load();
      for (const loaded of [bench.#datapath, bench.#forgetting]) loaded.setEndpoint(EndpointFlags.TAKES_XDP);
      bench.#fill();
      return bench;
    } catch (error) {
      bench.close();
      throw error;
    }
  }

  close(): void {
    this.#namespace?.list.close();
    if (this.#namespace) execFileSync('ip', ['netns', 'del', this.#namespace.name]);
    this.#namespace = undefined;
    for (const loaded of [this.#beside, this.#forgetting, this.#datapath]) loaded.close();
  }

  /** By program. */
  verifiedInstructions(): Record<Program, number> {
    const count = (program: Program): number => this.#datapath.verifiedInstructions(program);
    return {
      from_container: count('from_container'),
      from_underlay: count('from_underlay'),
      from_host: count('from_host'),
      from_vxlan: count('from_vxlan'),
      underlay_filter: count('underlay_filter'),
      underlay_deliver: count('underlay_deliver'),
    };
  }

  /** Runs it once, and throws unless verdict and counters are the case's. */
  verify(one: Case): void {
    const { verdict, drops, events } = this.#of(one).run(one.program, one.frame, this.#options(one));
    const found: Expected = { verdict, drops, events };
    const { expected } = one;
    const wanted: Expected = { verdict: expected.verdict, drops: expected.drops, events: expected.events };
    if (JSON.stringify(found) === JSON.stringify(wanted)) return;
    const cause = `it ends with ${JSON.stringify(found)} instead of ${JSON.stringify(wanted)}`;
    throw new PlaitError('OTHER_VERDICT', `measure "${nameOf(one)}": ${cause}`, {
      hint: 'npm test -- packet shows whether the programs or the case have changed',
    });
  }

  prepare(one: Case): TimedCase {
    const options = this.#options(one);
    const run = {
      program: options.entry ?? this.#of(one).program(one.program),
      input: this.#datapath.input(one.program, one.frame, options),
    };
    return { name: nameOf(one), run, base: this.#baseOf(one, options) };
  }

  /** The fixed piece of work. */
  calibration(): TimedCase {
    const input = this.#datapath.input('from_container', CALIBRATION_FRAME);
    const run = { program: this.#beside.program('calibration'), input };
    return { name: CALIBRATION, run, base: { program: this.#beside.program('empty'), input } };
  }

  #baseOf(one: Case, options: RunOptions): Timed {
    const to = options.entry ? { ...options, mark: TO_EMPTY } : options;
    const empty = isXdp(one.program) ? 'empty_xdp' : 'empty';
    return {
      program: options.entry ?? this.#beside.program(empty),
      input: this.#datapath.input(one.program, one.frame, to),
    };
  }

  #options(one: Case): RunOptions {
    const gso = one.gsoSize === undefined ? {} : { gsoSize: one.gsoSize };
    if (one.needs === 'tunnel')
      return { ...gso, entry: this.#beside.program('through_tunnel'), mark: TO_FROM_VXLAN };
    if (one.needs === 'transmission') return { ...gso, transmitting: true };
    if (one.needs === 'members') return { ...gso, ...this.#members() };
    return gso;
  }

  #of(one: Case): TestDatapath {
    return one.needs === 'forgetting' ? this.#forgetting : this.#datapath;
  }

  #fill(): void {
    new Generation(this.#datapath.map('generation')).raise(); // as the agent does
    const work = this.#beside.map('work');
    for (let i = 0; i < work.maxEntries / 2; i++) {
      const key = Buffer.alloc(work.keySize);
      key.writeUInt32LE(i);
      work.update(key, Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]));
    }
    const next = this.#beside.map('next');
    const goals = [this.#datapath.program('from_vxlan'), this.#beside.program('empty')];
    for (const [mark, program] of goals.entries()) next.update(u32.encode(mark), program);
  }

  /**
   * The sender and three more containers of its network. Their far ends are down, so that a copy ends where it is handed
   * over: bpf_clone_redirect transmits even in a test run, and the receivers' work is not the program's.
   */
  #members(): RunOptions {
    const name = this.#namespace?.name ?? `plait-programs-${process.pid}`;
    const netns = `/run/netns/${name}`;
    if (!this.#namespace) {
      execFileSync('ip', ['netns', 'add', name]);
      const list = BpfMap.create({
        ...{ type: 'array', keySize: 4, valueSize: 8, maxEntries: MEMBERS.length, flags: mapFlags.innerMap },
      });
      this.#namespace = { name, list };
      const commands = MEMBERS.flatMap((end) => [
        `link add ${end} type veth peer name ${end}p`,
        `link set ${end} addrgenmode none arp off up`,
      ]);
      execFileSync('ip', ['-n', name, '-batch', '-'], { input: commands.join('\n') });
      const members = MEMBERS.map((end, i) => ({
        ifindex: interfaceIndex(end, netns),
        slot: FIRST_SLOT + i,
      }));
      list.typed(u32, floodMemberCodec).setMany(members.map((member, i) => [i, member] as const));
      this.#datapath.map('flood').update(u32.encode(VNI), list);
      this.#datapath.setEndpoint(0, VNI, members[0]?.ifindex);
    }
    return { netns, ifindex: interfaceIndex(MEMBERS[0] ?? '', netns) };
  }
}
