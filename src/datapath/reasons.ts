/* What the counters of bpf/lib/types.h mean, in sentences for people. One table for the API, the CLI and the docs. */
import { type DropReason, dropReasonNames, type Event, eventNames, hookNames } from './types.gen.js';

export const DROP_DESCRIPTIONS: Readonly<Record<keyof typeof DropReason, string>> = {
  NONE: 'not dropped',
  TRUNCATED: 'a header runs past the end of the packet',
  UNKNOWN_ENDPOINT: 'a frame from a host end that no endpoint owns',
  SPOOFED_MAC: "the source MAC is not the endpoint's",
  SPOOFED_IP: "the source address is not the endpoint's",
  SPOOFED_ARP: 'ARP or neighbour discovery speaks for somebody else',
  FORBIDDEN_ND: 'a router advertisement or redirect from a container',
  VLAN: 'a VLAN tag inside',
  INTERNAL: 'a way out was asked for on an internal network',
  TOO_BIG: 'it did not fit, and the sender could not be told',
  TOO_BIG_ANSWERED: 'it did not fit, and the sender was told',
  BAD_VXLAN: 'the VXLAN header lacks the I flag, or lengths disagree',
  UNKNOWN_VNI: 'no network with that VNI is live on this node',
  UNLISTED_SENDER: 'the sender is not a VTEP of that network',
  UNKNOWN_MAC: 'unicast to nobody that it may be delivered to',
  NO_VTEP: 'there is no route to the VTEP behind which the destination is',
  ENCAP_FAILED: 'the kernel refused to encapsulate it',
  DECAP_FAILED: 'the kernel refused to decapsulate it',
  ECN: 'congestion was marked outside on a packet that cannot carry the mark inside',
  HOST_UNROUTED: 'from the host to an address of no live network, or not IP',
  HOST_REMOTE: 'from the host to an endpoint on another node',
  NO_MEMBERS: 'broadcast on a network whose flood list is empty',
  NOT_IP: 'for the gateway, and neither IPv4 nor IPv6',
};

export const EVENT_DESCRIPTIONS: Readonly<Record<keyof typeof Event, string>> = {
  LOCAL_DELIVERED: 'delivered to a container of this node',
  REMOTE_SENT: 'sent to another node',
  REMOTE_RECEIVED: 'received from another node',
  GATEWAY: 'handed to the host by the gateway',
  FROM_HOST: 'taken from the host for a container',
  ARP_ANSWERED: 'ARP requests answered',
  ND_ANSWERED: 'neighbour solicitations answered',
  FLOODED: 'broadcast, multicast and unknown unicast frames copied to members',
  SLOW_SENT: "encapsulated by the kernel's vxlan device",
  SLOW_RECEIVED: "decapsulated by the kernel's vxlan device",
  HOST_MULTICAST: "the host's own multicast and broadcast, which goes nowhere",
  FILTERED: 'of the drops, those by XDP, before there was an skb',
  XDP_DELIVERED: 'of those received from another node, those that XDP delivered',
};

/** Lower case with dashes, as they are shown: `spoofed-mac`. */
export type CounterName = string;

export const DROP_NAMES: readonly CounterName[] = dropReasonNames.map(shown);
export const EVENT_NAMES: readonly CounterName[] = eventNames.map(shown);
/** As the programs are called. */
export const HOOK_NAMES: readonly string[] = hookNames.map((name) => name.toLowerCase());

const byDropName = describe(DROP_DESCRIPTIONS);
const byEventName = describe(EVENT_DESCRIPTIONS);

/** What the numbers of a reason of this object, or one of a newer object, mean. */
export function dropDescription(name: CounterName): string {
  return byDropName.get(name) ?? 'a reason that this version does not know';
}

export function eventDescription(name: CounterName): string {
  return byEventName.get(name) ?? 'an event that this version does not know';
}

function describe(table: Readonly<Record<string, string>>): ReadonlyMap<CounterName, string> {
  return new Map(Object.entries(table).map(([name, text]) => [shown(name), text]));
}

function shown(name: string): CounterName {
  return name.toLowerCase().replaceAll('_', '-');
}
