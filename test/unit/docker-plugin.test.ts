// Docker's way of talking to a plugin, by bytes as dockerd sends them: no Content-Type, empty bodies, and failures that are
// answers.

import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import pino from 'pino';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { servePlugin } from '../../src/docker/plugin.js';
import { InvalidInput } from '../../src/model/errors.js';

const test = suite('docker: plugin');
const directory = mkdtempSync(join(tmpdir(), 'plait-plugin-'));
const socket = join(directory, 'plugins', 'plait.sock');
let server: FastifyInstance;

test.before(async () => {
  const methods = {
    'Plugin.Activate': () => ({ Implements: ['NetworkDriver'] }),
    'NetworkDriver.Echo': (body: unknown) => ({ got: body }),
    'NetworkDriver.Refuse': () => {
      throw new InvalidInput('do it: that is wrong', 'do something else');
    },
    'NetworkDriver.Break': async () => {
      throw new Error('it broke');
    },
  };
  server = await servePlugin(socket, methods, pino({ level: 'silent' }));
});
test.after(async () => {
  await server.close();
  rmSync(directory, { recursive: true });
});

interface Answer {
  status: number;
  type: string;
  body: unknown;
}

/** As dockerd: a path, a body, and no header that it does not need. */
function call(path: string, body: string, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { socketPath: socket, path, method: 'POST', headers };
    const sent = request(options, (response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => {
        resolve({
          status: response.statusCode ?? 0,
          type: response.headers['content-type'] ?? '',
          body: text === '' ? undefined : JSON.parse(text),
        });
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

test('is there for root alone, and answers what has no body', async () => {
  assert.is(statSync(socket).mode & 0o777, 0o600);
  const { status, type, body } = await call('/Plugin.Activate', '');
  assert.equal([status, body], [200, { Implements: ['NetworkDriver'] }]);
  assert.match(type, /^application\/vnd\.docker\.plugins\.v1\.2\+json/);
});

test('reads JSON whatever it is called', async () => {
  for (const headers of [{}, { 'content-type': 'application/json' }, { 'content-type': 'text/plain' }]) {
    const { body } = await call(
      '/NetworkDriver.Echo',
      '{"NetworkID":"n"}',
      headers as Record<string, string>,
    );
    assert.equal(body, { got: { NetworkID: 'n' } });
  }
});

test('a failure is an answer, with its reason under both names', async () => {
  const { status, body } = await call('/NetworkDriver.Refuse', '{}');
  const text = 'do it: that is wrong; do something else';
  assert.equal([status, body], [200, { Err: text, Error: text }]);
});

test('a call that lost its content on the way says so', async () => {
  const { status, body } = await call('/NetworkDriver.Refuse', '');
  assert.is(status, 200);
  assert.match(
    (body as { Err: string }).Err,
    /^NetworkDriver\.Refuse: .* cut off, .* run the command again$/,
  );
});

test('what breaks is an answer, too', async () => {
  const { status, body } = await call('/NetworkDriver.Break', '{}');
  assert.equal([status, typeof (body as { Err: unknown }).Err], [200, 'string']);
});

test('what is no JSON, and what is no method, is answered as a failure', async () => {
  for (const [path, text] of [
    ['/NetworkDriver.Echo', '{"NetworkID":'],
    ['/NetworkDriver.Unknown', '{}'],
    ['/', ''],
  ] as const) {
    const { status, body } = await call(path, text);
    assert.is(status, 200, path);
    assert.ok((body as { Err: string }).Err.length > 5, path);
  }
});

test.run();
