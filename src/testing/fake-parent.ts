// A server in miniature, to be killed: starts a fake engine, and says so once a request is accepted.

import { fileURLToPath } from 'node:url';
import { silentLog } from '../core/log.ts';
import { createEngineClient } from '../engine/client.ts';
import { fakeRequest } from './fake-model.ts';

const client = createEngineClient({ entry: fileURLToPath(new URL('fake-engine.js', import.meta.url)), log: silentLog });
await client.start({
  path: process.argv[2],
  device: 'reference',
  kernels: 'auto',
  threads: 1,
  contextLength: undefined,
  kvCache: 'f32',
  maxSequences: 1,
  maxBatchTokens: 16,
  maxWaiting: 1,
});
await client.submit('a', fakeRequest([1]), new AbortController().signal);
process.send?.('accepted');
