/*
 * The datapath of this node as one object: devices, programs, maps and links, opened together and adopted when they
 * are there already. Closing it lets go of descriptors only: packets go on without us.
 */
import type { BpfMap } from 'libbpf-ts-bindings';
import type { CountersAnswer, DropsAnswer, MapAnswer, MapQuery } from '../model/api.js';
import { PlaitError } from '../model/errors.js';
import type { RowChanges } from '../model/rows.js';
import { ensureBpffs } from '../net/bpffs.js';
import { type Devices, ensureDevices, HOST_DEVICE, HOST_DEVICE_PEER, VXLAN_DEVICE } from '../net/devices.js';
import { loosenReversePath } from '../net/forwarding.js';
import { Gateway } from '../net/gateway.js';
import { Sysctls } from '../net/sysctl.js';
import { findUnderlay, type Underlay } from '../net/underlay.js';
import { type DropSample, followDrops, readDrops } from './drops.js';
import { type DumpContext, dumpMap } from './dump.js';
import { EndpointSlots } from './endpoint-slots.js';
import { type KernelFeatures, kernelFeatures } from './features.js';
import { FloodLists } from './flood.js';
import { Generation } from './generation.js';
import { type AttachMode, EndpointLinks, mendLink, PinnedLinks } from './links.js';
import { type Loaded, loadOrAdopt, type MapSizes, type ProgramName } from './loader.js';
import { applyChanges, lookupIn, type MapLookup, openTables, type Tables } from './maps.js';
import { optionsOf } from './options.js';
import { Pins } from './pins.js';
import type { Row } from './rows.js';
import { UnderlayXdp } from './underlay-xdp.js';
import { type DesiredState, type Verified, verify } from './verify.js';
import { Vteps } from './vteps.js';
import type { XdpOption } from './xdp-choice.js';

export interface DatapathOptions {
  /** Directory for pins; a bpffs is mounted there when there is none. */
  readonly bpf: string;
  /** Directory that outlives the agent: the host's own settings are remembered there. */
  readonly state: string;
  /** This node's underlay address. */
  readonly address: string;
  /** UDP port of VXLAN; 4789 when left out. Every node must use the same. */
  readonly port?: number;
  /** Most rows of maps, by name. */
  readonly sizes?: MapSizes;
  /** Samples of dropped packets per second, reason and CPU. */
  readonly dropSamplesPerSecond?: number;
  readonly objectPath?: string;
  /** How programs are attached; what the kernel can do decides when left out. */
  readonly attach?: AttachMode;
  /** What XDP does on the underlay device; auto when left out. */
  readonly xdp?: XdpOption;
  /** Delivers by XDP on a veth, too: see `chooseXdp`. */
  readonly deliverOnVeth?: boolean;
  /** Whether to use the kernel's DECAP_L3 flags; whether it has them decides when left out. */
  readonly decapL3?: boolean;
}

/** IANA's port for VXLAN (RFC 7348 section 8). */
export const VXLAN_PORT = 4789;

interface Parts {
  readonly features: KernelFeatures;
  readonly underlay: Underlay;
  readonly devices: Devices;
  readonly loaded: Loaded;
  readonly pinnedLinks: PinnedLinks;
  readonly gateway: Gateway;
  readonly sysctls: Sysctls;
  readonly port: number;
  readonly xdp: XdpOption;
  readonly deliverOnVeth: boolean;
}

export class Datapath {
  readonly tables: Tables;
  readonly flood: FloodLists;
  readonly vteps: Vteps;
  readonly slots: EndpointSlots;
  readonly links: EndpointLinks;
  readonly gateway: Gateway;
  readonly xdp: UnderlayXdp;
  /** The programs of the previous agent run on unchanged. */
  readonly adopted: boolean;
  readonly features: KernelFeatures;
  readonly #parts: Parts;
  readonly #map: MapLookup;
  readonly #generation: Generation;
  readonly #hostLinks = new Map<ProgramName, number>();
  #underlay: Underlay;

  private constructor(parts: Parts) {
    const { loaded, underlay } = parts;
    const map = lookupIn(loaded.maps);
    this.#parts = parts;
    this.#map = map;
    this.#underlay = underlay;
    this.#generation = new Generation(map('generation'));
    this.tables = openTables(map);
    this.flood = new FloodLists(map('flood'));
    this.vteps = new Vteps(map('vteps'), map('vtep_counters'), underlay.address);
    this.slots = new EndpointSlots(this.tables.endpoints, map('endpoint_counters'));
    this.links = new EndpointLinks(parts.pinnedLinks, loaded.programs.from_container);
    this.gateway = parts.gateway;
    this.xdp = new UnderlayXdp({
      links: parts.pinnedLinks,
      programs: loaded.programs,
      device: map('underlay_device'),
      option: parts.xdp,
      deliverOnVeth: parts.deliverOnVeth,
    });
    this.adopted = loaded.adopted;
    this.features = parts.features;
  }

  /** Makes or adopts everything. On failure nothing stays open; what was made stays for the next try. */
  static async open(options: DatapathOptions): Promise<Datapath> {
    const { bpf, state, address, port = VXLAN_PORT, sizes = {}, dropSamplesPerSecond = 10 } = options;
    const pins = new Pins(bpf);
    await ensureBpffs(bpf);
    pins.makeDirectories();
    const underlay = await findUnderlay(address);
    const devices = await ensureDevices(port, underlay.innerMtu);
    const sysctls = new Sysctls(state);
    await loosenReversePath(sysctls, underlay.device);
    const features = kernelFeatures();
    const programOptions = optionsOf({
      address: underlay.address,
      port,
      devices,
      dropSamplesPerSecond,
      decapL3: options.decapL3 ?? features.found.decapL3,
    });
    const pinnedLinks = new PinnedLinks(pins, options.attach);
    const loaded = await loadOrAdopt(pins, pinnedLinks, programOptions, sizes, options.objectPath);
    const gateway = new Gateway(port, sysctls);
    try {
      const datapath = new Datapath({
        features,
        underlay,
        devices,
        loaded,
        pinnedLinks,
        gateway,
        sysctls,
        port,
        xdp: options.xdp ?? 'auto',
        deliverOnVeth: options.deliverOnVeth ?? false,
      });
      datapath.links.dropStale();
      await datapath.#attachHost(underlay.ifindex);
      await datapath.xdp.follow(underlay);
      await datapath.vteps.refresh();
      return datapath;
    } catch (error) {
      closeAll(loaded);
      throw error;
    }
  }

  get underlay(): Underlay {
    return this.#underlay;
  }

  /** Applies changes of all tables and flood lists. VTEPs that they name should have their routes before. */
  apply(changes: RowChanges): void {
    applyChanges(this.tables, this.flood, changes);
  }

  /**
   * To be called when the host's network changed: finds the underlay device again, moves from_underlay there, and looks
   * up all routes to VTEPs. True when the MTU or the device changed, so that rows with an MTU must be made anew. While
   * no device has the address, everything stays as it was.
   */
  async refreshUnderlay(): Promise<boolean> {
    const before = this.#underlay;
    const found = await findUnderlay(before.address);
    const changed = found.ifindex !== before.ifindex || found.mtu !== before.mtu;
    if (changed) await this.#moveTo(found);
    await this.xdp.follow(found);
    this.#underlay = found;
    await this.vteps.refresh();
    return changed;
  }

  async #moveTo({ device, ifindex, innerMtu }: Underlay): Promise<void> {
    const { port, sysctls, devices } = this.#parts;
    const now = await ensureDevices(port, innerMtu);
    if (now.vxlan !== devices.vxlan || now.host !== devices.host || now.hostPeer !== devices.hostPeer) {
      throw new PlaitError(
        'DEVICES_CHANGED',
        'follow the underlay: a device of the host had to be made anew',
        {
          hint: 'restart the agent: the programs that run name the old one',
        },
      );
    }
    await loosenReversePath(sysctls, device);
    await this.#attachHost(ifindex);
  }

  /**
   * Attaches the programs again that somebody detached. Returns how many links that were. What others have written to
   * the maps, and taken back since, no comparison finds, but the programs may remember it: they are made to forget.
   */
  async mend(): Promise<number> {
    const { loaded, pinnedLinks } = this.#parts;
    this.#generation.raise();
    let mended = await this.links.mend();
    for (const [name, ifindex] of this.#hostLinks) {
      if (await mendLink(() => pinnedLinks.ensure(name, loaded.programs[name], ifindex))) mended += 1;
    }
    return mended + Number(await this.xdp.mend());
  }

  verify(desired: DesiredState): Promise<Verified> {
    const { tables, flood, vteps, gateway } = this;
    const { pinnedLinks, port, loaded } = this.#parts;
    const { programs } = loaded;
    const subject = {
      tables,
      flood,
      vteps,
      gateway,
      pinnedLinks,
      port,
      programs,
      hostLinks: new Map(this.xdp.link ? [...this.#hostLinks, this.xdp.link] : this.#hostLinks),
    };
    return verify(subject, desired);
  }

  maps(): MapAnswer[] {
    return [...this.#parts.loaded.maps].map(([name, map]) => ({
      name,
      type: map.type,
      entries: this.#entriesOf(name, map),
      maxEntries: map.type === 'ringbuf' ? null : map.maxEntries,
    }));
  }

  /** Decoded rows of a map, as the kernel has them now. NO_MAP; INVALID_INPUT for a filter that cannot match. */
  dump(name: string, filter?: MapQuery): Row[] {
    return dumpMap(this.#map(name), name, this.#dumpContext(), filter);
  }

  drops(): DropsAnswer {
    return readDrops(this.#map('drops'), this.#map('events'));
  }

  /** There is one ring on the machine: follow it once and fan out. */
  followDrops(onDrop: (drop: DropSample) => void): { close(): void } {
    return followDrops(this.#map('drop_events'), (ifindex) => this.#deviceName(ifindex), onDrop);
  }

  endpointTraffic(ifindex: number): CountersAnswer | undefined {
    return this.slots.traffic(ifindex);
  }

  vtepTraffic(address: string): CountersAnswer | undefined {
    return this.vteps.traffic(address);
  }

  close(): void {
    closeAll(this.#parts.loaded);
  }

  async #attachHost(underlay: number): Promise<void> {
    const { loaded, devices, pinnedLinks } = this.#parts;
    const places = [
      ['from_underlay', underlay],
      ['from_host', devices.hostPeer],
      ['from_vxlan', devices.vxlan],
    ] as const;
    for (const [name, ifindex] of places) {
      await pinnedLinks.ensure(name, loaded.programs[name], ifindex);
      this.#hostLinks.set(name, ifindex);
    }
  }

  #entriesOf(name: string, map: BpfMap): number {
    if (name in this.tables) return this.tables[name as keyof Tables].size;
    if (name === 'flood') return this.flood.size;
    if (name === 'vteps' || name === 'vtep_counters') return this.vteps.addresses().length;
    if (name === 'endpoint_counters') return this.tables.endpoints.size;
    return map.type === 'ringbuf' ? 0 : map.maxEntries;
  }

  #dumpContext(): DumpContext {
    const slots = new Map([...this.tables.endpoints.entries()].map(([ifindex, { slot }]) => [slot, ifindex]));
    return {
      device: (ifindex) => this.#deviceName(ifindex),
      vtep: (index) => this.vteps.addressOf(index) ?? null,
      endpointSlots: slots,
      vtepIndexes: this.vteps.indexes(),
    };
  }

  #deviceName(ifindex: number): string | null {
    const { devices } = this.#parts;
    if (ifindex === this.#underlay.ifindex) return this.#underlay.device;
    if (ifindex === devices.host) return HOST_DEVICE;
    if (ifindex === devices.hostPeer) return HOST_DEVICE_PEER;
    if (ifindex === devices.vxlan) return VXLAN_DEVICE;
    return this.links.nameOf(ifindex) ?? null;
  }
}

function closeAll({ maps, programs }: Loaded): void {
  for (const map of maps.values()) map.close();
  for (const program of Object.values(programs)) program.close();
}
