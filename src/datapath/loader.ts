/*
 * Brings the programs into the kernel, or finds them there. An agent that restarts with the same object and the same
 * options adopts what runs. Otherwise the new programs are loaded over the pinned maps, so that they start with every
 * row in place, and each link is switched over in one step: no packet sees a half.
 *
 * A map whose size was configured anew is replaced by one with the same rows. A map whose layout changed (another
 * version) is replaced by an empty one, which the agent fills from the cluster's state: the one case where an upgrade
 * interrupts traffic.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { fileURLToPath } from 'node:url';
import {
  BpfError,
  BpfMap,
  type BpfObject,
  BpfProgram,
  type MapSpec,
  openObject,
  u32,
} from 'libbpf-ts-bindings';
import { PlaitError } from '../model/errors.js';
import { copyRows, sameLayout } from './copy-rows.js';
import { Generation } from './generation.js';
import { isHostEnd, type PinnedLinks } from './links.js';
import { type Pins, unpin } from './pins.js';

/** Most rows of each map; those not named keep the object's. */
export type MapSizes = Readonly<Record<string, number>>;

export type Options = Readonly<Record<string, number | bigint | boolean | Uint8Array>>;

/** And where each hangs. */
export const PROGRAMS = {
  from_container: 'tc',
  from_underlay: 'tc',
  from_host: 'tc',
  from_vxlan: 'tc',
  underlay_filter: 'xdp',
  underlay_deliver: 'xdp',
} as const;
export type ProgramName = keyof typeof PROGRAMS;
const PROGRAM_NAMES = Object.keys(PROGRAMS) as ProgramName[];

export interface Loaded {
  readonly maps: ReadonlyMap<string, BpfMap>;
  readonly programs: Readonly<Record<ProgramName, BpfProgram>>;
  /** Nothing was loaded: what was there is what is wanted. */
  readonly adopted: boolean;
}

/** dist/src/datapath/loader.js → dist/bpf/plait.bpf.o */
export const OBJECT_PATH = fileURLToPath(new URL('../../bpf/plait.bpf.o', import.meta.url));

export async function loadOrAdopt(
  pins: Pins,
  links: PinnedLinks,
  options: Options,
  sizes: MapSizes,
  objectPath = OBJECT_PATH,
): Promise<Loaded> {
  const object = openDatapath(objectPath);
  try {
    object.setRodata({ ...options, build_id: buildId(objectPath) });
    resize(object, sizes);
    const rodata = object.rodata();
    const running = adopt(object, rodata, pins);
    if (running) return { ...running, adopted: true };
    await load(object, pins, links);
    const loaded = adopt(object, rodata, pins);
    if (!loaded) throw new PlaitError('PINS_CHANGED', `adopt ${pins.root}: another agent changes it`);
    return { ...loaded, adopted: false };
  } finally {
    object.close();
  }
}

/** The counters of endpoints and VTEPs have as many slots as there may be of those, unless they are named, too. */
const FOLLOWS = { endpoint_counters: 'endpoints', vtep_counters: 'vteps' } as const;

function resize(object: BpfObject, sizes: MapSizes): void {
  const wanted = new Map(Object.entries(sizes));
  for (const [name, leader] of Object.entries(FOLLOWS)) {
    const entries = sizes[leader];
    if (entries !== undefined && !wanted.has(name)) wanted.set(name, entries);
  }
  for (const [name, entries] of wanted) {
    const spec = object.maps.get(name);
    if (!spec) {
      const hint = `there are ${[...object.maps.keys()].join(', ')}`;
      throw new PlaitError('NO_MAP', `size map ${name}: no such map`, { hint });
    }
    spec.maxEntries = entries;
  }
}

/** Two objects with one id are one file. */
function buildId(objectPath: string): bigint {
  return createHash('sha256').update(readFileSync(objectPath)).digest().readBigUInt64LE(0);
}

function openDatapath(objectPath: string): BpfObject {
  if (existsSync(objectPath)) return openObject(objectPath);
  throw new PlaitError('NO_OBJECT', `open datapath ${objectPath}: no such file`, {
    hint: 'npm run build makes it',
  });
}

/** What is pinned, if that is what the object would become. Closing the object closes only its own descriptors. */
function adopt(object: BpfObject, wanted: Buffer, pins: Pins): Omit<Loaded, 'adopted'> | undefined {
  const opened: { close(): void }[] = [];
  const keep = <T extends { close(): void }>(item: T): T => {
    opened.push(item);
    return item;
  };
  try {
    const rodata = keep(BpfMap.openPinned(pins.rodata)).lookup(u32.encode(0));
    if (!rodata?.equals(wanted)) throw new Outdated();
    const maps = new Map<string, BpfMap>();
    for (const spec of pinnable(object)) {
      const map = keep(BpfMap.openPinned(pins.map(spec.name)));
      if (!fits(spec, map)) throw new Outdated();
      maps.set(spec.name, map);
    }
    const programs = programsBy((name) => keep(BpfProgram.openPinned(pins.program(name))));
    opened.shift()?.close();
    return { maps, programs };
  } catch (error) {
    for (const item of opened) item.close();
    if (error instanceof Outdated || (error instanceof BpfError && error.code === 'ENOENT')) return undefined;
    throw error;
  }
}

/** What is pinned is not what is wanted. Does not leave this file. */
class Outdated extends Error {}

/**
 * The pins of maps that do not fit stay until the new programs run over the new maps: when anything fails before
 * that, the old ones go on, and the next try finds their rows.
 */
async function load(object: BpfObject, pins: Pins, links: PinnedLinks): Promise<void> {
  unpin(pins.rodata);
  const unfit = pinUnlessUnfit(object, pins);
  try {
    await object.load().catch((error: unknown) => {
      throw explained(error);
    });
    for (const [name, old] of unfit) copyRows(old, object.map(name));
    new Generation(object.map('generation')).raise(); // memories may be older than the programs that run
    await switchOver(
      programsBy((name) => object.program(name)),
      pins,
      links,
    );
    for (const name of unfit.keys()) {
      unpin(pins.map(name));
      object.map(name).pin(pins.map(name));
    }
    object.map('.rodata').pin(pins.rodata);
  } finally {
    for (const old of unfit.values()) old.close();
  }
}

/** Lets the object use the pinned maps, or pin those that are missing. Returns those that do not fit, open. */
function pinUnlessUnfit(object: BpfObject, pins: Pins): Map<string, BpfMap> {
  const unfit = new Map<string, BpfMap>();
  try {
    for (const spec of pinnable(object)) {
      const path = pins.map(spec.name);
      const old = existsSync(path) ? BpfMap.openPinned(path) : undefined;
      if (old && !fits(spec, old)) unfit.set(spec.name, old);
      else {
        old?.close();
        spec.pinPath = path;
      }
    }
  } catch (error) {
    for (const old of unfit.values()) old.close();
    throw error;
  }
  return unfit;
}

/** The program that a link of that name runs; undefined for one that another version left. */
export function programOf(link: string): ProgramName | undefined {
  return isHostEnd(link) ? 'from_container' : PROGRAM_NAMES.find((name) => name === link);
}

async function switchOver(programs: Loaded['programs'], pins: Pins, links: PinnedLinks): Promise<void> {
  for (const { name, ifindex } of links.list()) {
    const program = programOf(name);
    if (ifindex === 0 || !program) links.remove(name);
    else if (PROGRAMS[program] === 'tc') await links.ensure(name, programs[program], ifindex);
    else await switchXdp(links, name, programs[program], ifindex);
  }
  for (const name of PROGRAM_NAMES) {
    unpin(pins.program(name));
    programs[name].pin(pins.program(name));
  }
}

/** A driver may refuse; then it is done without, and UnderlayXdp tells why. */
async function switchXdp(
  links: PinnedLinks,
  name: string,
  program: BpfProgram,
  ifindex: number,
): Promise<void> {
  await links.ensure(name, program, ifindex).catch(() => links.remove(name));
}

function programsBy(get: (name: ProgramName) => BpfProgram): Loaded['programs'] {
  return Object.fromEntries(PROGRAM_NAMES.map((name) => [name, get(name)])) as Loaded['programs'];
}

/** All but the sections of constants and variables. */
function pinnable(object: BpfObject): MapSpec[] {
  return [...object.maps.values()].filter(({ name }) => !name.startsWith('.'));
}

function fits(spec: MapSpec, map: BpfMap): boolean {
  return sameLayout(spec, map) && spec.maxEntries === map.maxEntries && spec.flags === map.flags;
}

const FLOOR = [6, 1] as const;

/** Says what the kernel lacks where that is known, so that nobody has to read a verifier's log first. */
function explained(error: unknown): unknown {
  if (!(error instanceof BpfError)) return error;
  const kernel = release();
  const [major = 0, minor = 0] = kernel.split('.').map(Number);
  if (major < FLOOR[0] || (major === FLOOR[0] && minor < FLOOR[1])) {
    const cause = `Linux ${kernel} is too old, ${FLOOR.join('.')} is the oldest that has what it needs`;
    return new PlaitError('KERNEL_TOO_OLD', `load datapath: ${cause}`, { cause: error });
  }
  if (error.code === 'EPERM') {
    return new PlaitError('NOT_PERMITTED', 'load datapath: it takes root, with CAP_BPF and CAP_NET_ADMIN', {
      cause: error,
    });
  }
  return new PlaitError('LOAD_FAILED', `load datapath: ${error.message}`, { cause: error });
}
