/* Whether other hosts can be reached, by asking them as the agent would. */
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '../net/run.js';
import { patience } from '../patience.js';
import { type Finding, fault, ok } from './finding.js';

const CONNECT_MS = patience(3000);
/** For a host that listens to nothing there to say so. */
const REFUSAL_MS = patience(500);

export async function tcpPort(host: string, port: number, whose: string): Promise<Finding> {
  const what = `TCP ${port} of ${whose}`;
  const reason = await new Promise<string | undefined>((resolve) => {
    const socket = connect({ host, port });
    const end = (text?: string): void => {
      socket.destroy();
      resolve(text);
    };
    socket.setTimeout(CONNECT_MS, () => end('no answer'));
    socket.once('connect', () => end());
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
  if (reason === undefined) return ok(what, `${host} answers`);
  if (reason === 'ECONNREFUSED') {
    return fault(what, `${host} refuses`, 'is its agent up? `systemctl status plait` there');
  }
  return fault(
    what,
    `${host}: ${reason}`,
    `let TCP ${port} through between the hosts; \`nft list ruleset\` there shows its filters`,
  );
}

/** UDP that nobody hears is not told from UDP that is heard; what is refused is told. */
export async function udpPort(host: string, port: number, whose: string): Promise<Finding> {
  const what = `UDP ${port} of ${whose}`;
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  const refused = new Promise<string>((resolve) => {
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.connect(port, host, resolve);
    });
    socket.send(Buffer.alloc(8)); // no VXLAN: counted there as bad, and dropped
    const reason = await Promise.race([refused, sleep(REFUSAL_MS)]);
    if (reason === undefined) return ok(what, `${host} does not refuse it`);
    return fault(what, `${host}: ${reason}`, 'is its agent up, and on the same port? `plait status` there');
  } finally {
    socket.close();
  }
}

/** The biggest packet that we send there passes uncut. @param mtu of the underlay here, bytes */
export async function pathMtu(host: string, mtu: number, whose: string): Promise<Finding> {
  const what = `MTU to ${whose}`;
  const headers = host.includes(':') ? 48 : 28;
  const words = ['-n', '-c', '2', '-i', '0.2', '-W', '1', '-M', 'do', '-s', `${mtu - headers}`, host];
  const said = await run('ping', words, { doing: `ping ${host}`, partial: true });
  if (/ [12] received/.test(said)) return ok(what, `${mtu} bytes pass to ${host}`);
  const small = await run('ping', ['-n', '-c', '2', '-i', '0.2', '-W', '1', host], {
    doing: `ping ${host}`,
    partial: true,
  });
  if (/ [12] received/.test(small)) {
    return fault(
      what,
      `${host} answers, and not to ${mtu} bytes`,
      'give the path the same MTU, or networks a smaller one: `network create --mtu`',
    );
  }
  return fault(
    what,
    `${host} does not answer pings`,
    'is the host up, and does ICMP pass? Without it path MTU discovery fails, too',
  );
}
