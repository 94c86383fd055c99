/* Whether the node is as it should be: every row, link and device, asked from the kernel and not from memory. */
import type { DifferenceAnswer } from '../model/api.js';
import { checkDevices } from '../net/devices.js';
import type { Gateway, GatewayNetwork } from '../net/gateway.js';
import type { HostEnd } from '../net/veth.js';
import type { FloodLists } from './flood.js';
import { isHostEnd, type PinnedLink, type PinnedLinks } from './links.js';
import { type Loaded, type ProgramName, programOf } from './loader.js';
import type { Tables } from './maps.js';
import type {
  Endpoint,
  FdbEntry,
  FdbKey,
  FloodMember,
  Neighbor,
  NeighborKey,
  Network,
  Sender,
  SenderKey,
  Subnet,
  SubnetKey,
} from './types.gen.js';
import type { Vteps } from './vteps.js';

type Rows<K, V> = Iterable<readonly [K, V]>;

/** What a node should have. */
export interface DesiredState {
  readonly endpoints: Rows<number, Endpoint>;
  readonly fdb: Rows<FdbKey, FdbEntry>;
  readonly neighbors: Rows<NeighborKey, Neighbor>;
  readonly networks: Rows<number, Network>;
  readonly subnets: Rows<SubnetKey, Subnet>;
  readonly senders: Rows<SenderKey, Sender>;
  readonly flood: Rows<number, readonly FloodMember[]>;
  /** Addresses. */
  readonly vteps: Iterable<string>;
  /** Host ends of the endpoints. */
  readonly links: Iterable<HostEnd>;
  readonly gateways: readonly GatewayNetwork[];
}

export interface Verified {
  /** Things compared, by table. */
  readonly checked: Record<string, number>;
  readonly differences: DifferenceAnswer[];
}

/** What there is to be compared. */
export interface Subject {
  readonly tables: Tables;
  readonly flood: FloodLists;
  readonly vteps: Vteps;
  readonly pinnedLinks: PinnedLinks;
  /** Host links that the datapath itself attached, name → ifindex. */
  readonly hostLinks: ReadonlyMap<ProgramName, number>;
  /** Those that run. */
  readonly programs: Loaded['programs'];
  readonly gateway: Gateway;
  readonly port: number;
}

export async function verify(subject: Subject, desired: DesiredState): Promise<Verified> {
  const { tables, flood, vteps } = subject;
  const checked: Record<string, number> = {};
  const differences: DifferenceAnswer[] = [];
  const note = (table: string, count: number, found: readonly DifferenceAnswer[]): void => {
    checked[table] = count;
    differences.push(...found);
  };
  for (const [name, found] of Object.entries(verifyTables(tables, desired))) {
    note(name, tables[name as keyof Tables].size, found);
  }
  const floodFound = flood.verify(desired.flood);
  note('flood', flood.size, floodFound);
  const vtepFaults = vteps.verify(desired.vteps);
  note('vteps', vteps.addresses().length, vtepFaults.map(asDifference('vteps')));
  const links = verifyLinks(subject, desired.links);
  note('links', links.checked, links.differences);
  const devices = await checkDevices(subject.port);
  note('devices', 4, devices.map(asDifference('devices')));
  const gateways = await subject.gateway.verify(desired.gateways);
  note('gateways', desired.gateways.length, gateways.map(asDifference('gateways')));
  return { checked, differences };
}

function verifyTables(tables: Tables, desired: DesiredState): Record<keyof Tables, DifferenceAnswer[]> {
  return {
    endpoints: tables.endpoints.verify(desired.endpoints),
    fdb: tables.fdb.verify(desired.fdb),
    neighbors: tables.neighbors.verify(desired.neighbors),
    networks: tables.networks.verify(desired.networks),
    subnets: tables.subnets.verify(desired.subnets),
    senders: tables.senders.verify(desired.senders),
  };
}

function verifyLinks(
  { pinnedLinks, hostLinks, programs }: Subject,
  hostEnds: Iterable<HostEnd>,
): { checked: number; differences: DifferenceAnswer[] } {
  const expected = new Map<string, number>(hostLinks);
  for (const { ifname, ifindex } of hostEnds) expected.set(ifname, ifindex);
  const actual = new Map(pinnedLinks.list().map((link) => [link.name, link]));
  const faults: Fault[] = [];
  for (const [name, ifindex] of expected) {
    const program = programOf(name);
    const programId = program ? programs[program].id : 0;
    const has = actual.get(name);
    const isRight = has?.ifindex === ifindex && has.programId === programId;
    if (!isRight) faults.push([name, linkText({ ifindex, programId }), has ? linkText(has) : null]);
  }
  for (const [name, link] of actual) {
    if (!expected.has(name) && isHostEnd(name)) faults.push([name, null, linkText(link)]);
  }
  return { checked: expected.size, differences: faults.map(asDifference('links')) };
}

function linkText({ ifindex, programId }: Omit<PinnedLink, 'name'>): string {
  return ifindex === 0 ? 'detached' : `ifindex ${ifindex} program ${programId}`;
}

/** What, as it should be, as it is. */
type Fault = [key: string, expected: string | null, actual: string | null];

function asDifference(table: string): (fault: Fault) => DifferenceAnswer {
  return ([key, expected, actual]) => ({
    table,
    key,
    problem: actual === null ? 'missing' : expected === null ? 'extra' : 'different',
    expected,
    actual,
  });
}
