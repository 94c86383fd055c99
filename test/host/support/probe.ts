// Runs inside a container: waits for one name after the other to be answered, connects to what it was told, and
// prints `<name> <milliseconds since 1970>` for each. A refused connection is an answer from the other container.
// Several attempts are under way at a time: one SYN that is lost would hide for a second when the path was there.
//
//     node probe.js <number of names> <prefix of the names>

import { Resolver } from 'node:dns/promises';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const CLOSED_PORT = 9;
const POLL_MS = 2;
const [count, prefix] = [Number(process.argv[2]), process.argv[3] ?? ''];
const resolver = new Resolver({ timeout: 500, tries: 1 });
resolver.setServers(['127.0.0.11']);

console.log('ready');
for (let index = 0; index < count; index += 1) {
  const name = `${prefix}${index}`;
  await reach(await resolve(name));
  console.log(`${name} ${Date.now()}`);
}

async function resolve(name: string): Promise<string> {
  for (;;) {
    const [address] = await resolver.resolve4(name).catch((): string[] => []);
    if (address) return address;
    await sleep(POLL_MS);
  }
}

async function reach(host: string): Promise<void> {
  const sockets: Socket[] = [];
  let answered = false;
  while (!answered) {
    const socket = connect({ host, port: CLOSED_PORT });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      answered ||= error.code === 'ECONNREFUSED';
    });
    sockets.push(socket);
    await sleep(POLL_MS);
  }
  for (const socket of sockets) socket.destroy();
}
