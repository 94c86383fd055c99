/*
 * A program of its own, `node ask-server.js ADDRESS PORT`: prints what the far end tells. A process can only ask from the
 * network namespace it lives in, and a measurement starts in several.
 */
import { get } from 'node:http';
import { text } from 'node:stream/consumers';

const TIMEOUT_MS = 5000;

const [host, port] = process.argv.slice(2);
const request = get({ host, port }, async (response) => process.stdout.write(await text(response)));
request.setTimeout(TIMEOUT_MS, () => request.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)));
request.on('error', (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
});
