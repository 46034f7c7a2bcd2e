// A server in miniature, to be killed: starts a fake engine, and says so once tokens stream.

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
const { events } = await client.submit('a', fakeRequest([1], { maxTokens: 90_000 }), new AbortController().signal);
let isFirst = true;
for await (const event of events) {
  if (isFirst && event.type === 'tokens') process.send?.('streaming');
  isFirst = false;
}
