/*
 * One exchange with one upstream resolver: the query under an id of our own, the reply or undefined. Every exchange
 * over UDP has a socket of its own, connected: a random source port and a random id are what a forger must guess,
 * and the kernel tells at once when nobody listens there.
 */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect, isIPv6, Socket } from 'node:net';
import { socketInNamespace } from 'libbpf-ts-bindings';
import { isReplyTo, type Query, type Transport, withId } from './message.js';
import { MessageReader, writeMessage } from './stream.js';

/** Where a resolver listens. */
export interface Upstream {
  readonly address: string;
  readonly port: number;
  /** Asked in another network namespace, from this address; in the agent's own when left out. */
  readonly from?: { readonly netns: string; readonly address: string } | undefined;
}

/**
 * The upstream's reply, with the id it was asked under put back to the client's; undefined if there was none in
 * time, or none that could be used. Never rejects.
 *
 * @param timeout in milliseconds
 * @param signal gives the exchange up
 */
export async function ask(
  upstream: Upstream,
  query: Query,
  transport: Transport,
  timeout: number,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  if (signal.aborted) return undefined;
  const id = randomInt(0x10000);
  const exchange = transport === 'udp' ? overUdp : overTcp;
  const reply = await exchange(upstream, withId(query.wire, id), {
    accepts: (message) => isReplyTo(message, query, id),
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeout)]),
  }).catch(() => undefined);
  return reply && withId(reply, query.wire.readUInt16BE(0));
}

interface Exchange {
  accepts(message: Buffer): boolean;
  readonly signal: AbortSignal;
}

function overUdp(
  upstream: Upstream,
  message: Buffer,
  { accepts, signal }: Exchange,
): Promise<Buffer | undefined> {
  return new Promise((settle) => {
    const { address, port } = upstream;
    const fd = openInside(upstream, 'udp');
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
    const finish = (reply?: Buffer) => {
      signal.removeEventListener('abort', giveUp);
      socket.removeAllListeners('message');
      socket.close();
      settle(reply);
    };
    const finishOnce = once(finish);
    const giveUp = () => finishOnce();
    signal.addEventListener('abort', giveUp);
    socket.on('error', giveUp);
    // What does not fit is a forgery or a late reply to somebody else: the right one may still come.
    socket.on('message', (reply) => accepts(reply) && finishOnce(reply));
    const send = (error?: Error | null) => error && finishOnce();
    if (fd === undefined) socket.connect(port, address, () => socket.send(message, send));
    else socket.bind({ fd }, () => socket.send(message, port, address, send));
  });
}

function overTcp(
  upstream: Upstream,
  message: Buffer,
  { accepts, signal }: Exchange,
): Promise<Buffer | undefined> {
  return new Promise((settle) => {
    const fd = openInside(upstream, 'tcp');
    const isOpen = fd !== undefined;
    const socket = isOpen
      ? new Socket({ fd, signal })
      : connect({ host: upstream.address, port: upstream.port, signal });
    const finish = once((reply?: Buffer) => {
      socket.destroy();
      settle(reply);
    });
    const reader = new MessageReader((reply) => finish(accepts(reply) ? reply : undefined));
    socket.on('error', () => finish());
    socket.on('close', () => finish());
    if (!isOpen) socket.on('connect', () => writeMessage(socket, message));
    socket.on('data', (bytes) => reader.push(bytes));
    if (isOpen) writeMessage(socket, message);
  });
}

/** The descriptor of a socket where the upstream is, for TCP a connected one; it throws when nobody is there. */
function openInside({ from, address, port }: Upstream, type: Transport): number | undefined {
  if (from === undefined) return undefined;
  return socketInNamespace({ ...from, type, port: 0, ...(type === 'tcp' && { peer: { address, port } }) });
}

function once<A extends unknown[]>(run: (...args: A) => void): (...args: A) => void {
  let ran = false;
  return (...args) => {
    if (ran) return;
    ran = true;
    run(...args);
  };
}
