/*
 * Who takes part in the packet tests. Alice sends: her host end is the device of the test run (lo, ifindex 1). Bob is a
 * neighbour on this node, Carol on a node over IPv4, Dave on a node over IPv6, Nobody is on no node.
 */
export const VNI = 4096;
export const SECRET_VNI = 4097; /* internal */
export const MTU = 1450;
export const PORT = 4789;

export const alice = {
  ...{ mac: '02:00:00:00:00:01', ip4: '10.10.0.2', ip6: 'fd00:10::2', linkLocal: 'fe80::ff:fe00:1' },
  ...{ ifindex: 1, slot: 1 },
};
export const bob = {
  ...{ mac: '02:00:00:00:00:02', ip4: '10.10.0.3', ip6: 'fd00:10::3', linkLocal: 'fe80::ff:fe00:2' },
  ...{ ifindex: 77, slot: 2 },
};
export const carol = {
  ...{ mac: '02:00:00:00:00:03', ip4: '10.10.0.4', ip6: 'fd00:10::4', linkLocal: 'fe80::ff:fe00:3' },
  ...{ vtep: 1 },
};
export const dave = {
  ...{ mac: '02:00:00:00:00:04', ip4: '10.10.0.5', ip6: 'fd00:10::5', linkLocal: 'fe80::ff:fe00:4' },
  ...{ vtep: 2 },
};
/** Her VTEP is not to be found. */
export const erin = { mac: '02:00:00:00:00:05', vtep: 3 };
export const nobody = { mac: '02:00:00:00:00:99', ip4: '10.10.0.99', ip6: 'fd00:10::99' };

export const gateway = { mac: '02:50:4c:41:49:54', ip4: '10.10.0.1', ip6: 'fd00:10::1' };
export const everyone = { mac: 'ff:ff:ff:ff:ff:ff' };

/** This node on the underlay; the MAC is that of lo, on which the test runs. */
export const node = { mac: '00:00:00:00:00:00', ip4: '192.0.2.1', ip6: '2001:db8::1' };
/** The node of Carol, and of Dave. */
export const peer = { mac: '02:00:00:00:0a:02', ip4: '192.0.2.2', ip6: '2001:db8::2' };
export const stranger = { ip4: '192.0.2.66', ip6: '2001:db8::66' };
