// An engine process with a fake model, for tests of whatever forks one. Fork the built file as the `entry` of an engine client.
// The file named by `LoadOptions.path` holds JSON that says what to do, read anew by each process.

import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { Engine } from '../engine/engine.ts';
import { runMessageLoop, type LoadEngine } from '../engine/loop.ts';
import { crashId, fakeContextLength, type FakeEngineScript } from './fake-engine-script.ts';
import { fakeRunner, fakeSampler, fakeVocabularySize } from './fake-model.ts';

const load: LoadEngine = async (options, emit) => {
  const script = JSON.parse(readFileSync(options.path, 'utf8')) as FakeEngineScript;
  if (script.pulse !== undefined) await beat(script.pulse);
  emit({ type: 'progress', phase: 'reading', done: 1, total: 2 });
  process.stdout.write('said on stdout\n');
  process.stderr.write('said on stderr\n');
  if (script.load === 'unloadable') throw new Error('the fake model cannot be loaded');
  if (script.load === 'crash') process.exit(3);
  if (script.load === 'never') await new Promise(() => undefined);
  const kvBlocks = Math.ceil(fakeContextLength / 64);
  const runner = fakeRunner(kvBlocks);
  const { maxSequences, maxBatchTokens, maxWaiting } = options;
  const engine = new Engine({
    runner: {
      ...runner,
      forward: (batch) => {
        if (batch.positions[0] === 0 && batch.ids[0] === crashId) throw new Error('the fake model crashed');
        return script.forward === 'stuck' ? stuck() : runner.forward(batch);
      },
    },
    sampler: fakeSampler,
    emit,
    contextLength: fakeContextLength,
    kvBlocks,
    maxSequences,
    maxBatchTokens,
    maxWaiting,
  });
  if (script.forward === 'deaf') engine.submit = () => process.exit(4);
  return {
    engine,
    close: () => runner.close(),
    model: {
      architecture: 'fake',
      parameters: 0,
      quantization: 'F32',
      vocabularySize: fakeVocabularySize,
      contextLength: fakeContextLength,
      trainedContextLength: fakeContextLength,
      weightBytes: 0,
      kvCacheBytes: 0,
      scratchBytes: 0,
      device: options.device,
      kernels: 'fake',
      threads: options.threads,
      node: process.version,
      fingerprint: 'fp_fake',
      loadMs: 0,
    },
  };
};

/** Like work: nothing but the end of the process ends it. */
function stuck(): Promise<never> {
  setInterval(() => undefined, 60_000);
  return new Promise(() => undefined);
}

async function beat(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.unref();
  await new Promise((resolve) => {
    socket.once('connect', resolve);
  });
  socket.write(String(process.pid));
}

runMessageLoop(load);
