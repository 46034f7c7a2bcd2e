import t from 'tap';
import { chooseTransport } from './choose-transport.ts';
import { silentLog } from './core/log.ts';
import { loadUws, type LoadedUws } from './http/uws.ts';

const none = async (): Promise<LoadedUws> => ({
  module: undefined,
  reason: 'no uWebSockets.js for Node 99 on any-box',
});
const never = (): never => t.fail('it must not be loaded') as never;

void t.test('http is what was asked for, and nothing else is loaded', async (t) => {
  t.match(await chooseTransport('http', silentLog, never), {
    transport: { name: 'http' },
    title: 'node:http',
    reason: '--transport http',
  });
});

void t.test('without a binary: auto takes node:http and says why, uws says what to do', async (t) => {
  t.match(await chooseTransport('auto', silentLog, none), {
    transport: { name: 'http' },
    title: 'node:http',
    reason: 'no uWebSockets.js for Node 99 on any-box',
  });
  await t.rejects(chooseTransport('uws', silentLog, none), {
    name: 'StartError',
    message: /^no uWebSockets.js for Node 99 on any-box\n.*--transport http .*npm install$/,
    exitCode: 1,
  });
});

const uws = await loadUws();

void t.test('with a binary: it is taken', { skip: uws.module === undefined ? uws.reason : false }, async (t) => {
  for (const wanted of ['auto', 'uws'] as const) {
    t.match(await chooseTransport(wanted, silentLog), {
      transport: { name: 'uws' },
      title: 'uWebSockets.js',
      reason: new RegExp(`--transport ${wanted}`),
    });
  }
});
