import { native } from './native.js';

export interface SocketOptions {
  /** Path of the network namespace, /run/netns/NAME or /proc/PID/ns/net. */
  netns: string;
  type: 'udp' | 'tcp';
  /** Numeric IPv4 or IPv6 address to bind; IPv6 sockets are IPv6 only. */
  address: string;
  /** 0 lets the kernel choose. */
  port: number;
}

/**
 * A socket made inside another network namespace, bound there (and listening for tcp), non-blocking and close-on-exec.
 * The caller owns the descriptor; give it to dgram's bind({fd}) or net's listen({fd}).
 */
export function socketInNamespace(options: SocketOptions): number {
  return native.socketInNamespace(options.netns, options.type, options.address, options.port);
}

/** The ifindex of a device; ENODEV when there is none of that name. */
export function interfaceIndex(name: string, netns?: string): number {
  return native.interfaceIndex(name, netns);
}
