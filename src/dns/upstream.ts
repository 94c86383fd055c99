/*
 * One exchange with one upstream resolver: the query under an id of our own, the reply or undefined. Every exchange
 * over UDP has a socket of its own, connected: a random source port and a random id are what a forger must guess,
 * and the kernel tells at once when nobody listens there.
 */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import { isReplyTo, type Query, type Transport, withId } from './message.js';
import { MessageReader, writeMessage } from './stream.js';

/** Where a resolver listens. */
export interface Upstream {
  readonly address: string;
  readonly port: number;
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
  });
  return reply && withId(reply, query.wire.readUInt16BE(0));
}

interface Exchange {
  accepts(message: Buffer): boolean;
  readonly signal: AbortSignal;
}

function overUdp(
  { address, port }: Upstream,
  message: Buffer,
  { accepts, signal }: Exchange,
): Promise<Buffer | undefined> {
  return new Promise((settle) => {
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
    socket.connect(port, address, () => socket.send(message, (error) => error && finishOnce()));
  });
}

function overTcp(
  { address, port }: Upstream,
  message: Buffer,
  { accepts, signal }: Exchange,
): Promise<Buffer | undefined> {
  return new Promise((settle) => {
    const socket = connect({ host: address, port, signal });
    const finish = once((reply?: Buffer) => {
      socket.destroy();
      settle(reply);
    });
    const reader = new MessageReader((reply) => finish(accepts(reply) ? reply : undefined));
    socket.on('error', () => finish());
    socket.on('close', () => finish());
    socket.on('connect', () => writeMessage(socket, message));
    socket.on('data', (bytes) => reader.push(bytes));
  });
}

function once<A extends unknown[]>(run: (...args: A) => void): (...args: A) => void {
  let ran = false;
  return (...args) => {
    if (ran) return;
    ran = true;
    run(...args);
  };
}
