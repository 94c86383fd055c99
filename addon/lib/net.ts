import { native } from './native.js';

export interface SocketOptions {
  /** Path of the network namespace, /run/netns/NAME or /proc/PID/ns/net. */
  netns: string;
  type: 'udp' | 'tcp';
  /** Numeric IPv4 or IPv6 address to bind; IPv6 sockets are IPv6 only. */
  address: string;
  /** 0 lets the kernel choose. */
  port: number;
  /** Whom it talks to: a socket that is connected, and listens to nobody else. */
  peer?: { address: string; port: number };
}

/**
 * A socket made inside another network namespace, bound there (and listening for tcp, unless it has a peer), non-blocking
 * and close-on-exec. The caller owns the descriptor; give it to dgram's bind({fd}), net's listen({fd}) or net.Socket. With
 * a tcp peer the connection may still be under way (EINPROGRESS is no error); on loopback it is there.
 */
export function socketInNamespace(options: SocketOptions): number {
  const { netns, type, address, port, peer } = options;
  return native.socketInNamespace(netns, type, address, port, peer?.address, peer?.port);
}

/** The ifindex of a device; ENODEV when there is none of that name. */
export function interfaceIndex(name: string, netns?: string): number {
  return native.interfaceIndex(name, netns);
}
