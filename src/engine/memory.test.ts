import { join } from 'node:path';
import t from 'tap';
import { createReferenceBackend } from '../compute/reference/backend.ts';
import { createWasmBackend } from '../compute/wasm/backend.ts';
import { buildModel } from '../model/model.ts';
import { tinyLlama, tinyQwen3, writeTinyModel, type TinyModel } from '../model/tiny.ts';
import { openCheckpoint } from '../weights/gguf.ts';
import { freeMemory } from './free-memory.ts';
import { describeMemory, judgeMemory } from './memory.ts';
import { planBackend } from './plan.ts';

const GiB = 2 ** 30;
const MiB = 2 ** 20;
const options = { contextLength: undefined, kvCache: 'f32', maxSequences: 4, maxBatchTokens: 16 } as const;

function free(bytes: number, swap = 0) {
  return { freeBytes: bytes, limitBytes: bytes + swap };
}

/** Two layers of 2 heads of 16: 512 bytes of f32 cache for each position. */
async function checkpointOf(folder: string, model: TinyModel) {
  const path = join(folder, `${model.architecture}.gguf`);
  await writeTinyModel(path, model);
  return await openCheckpoint(path);
}

void t.test('what is told beforehand is what is taken', async (t) => {
  const folder = t.testdir();
  const backends = [
    createReferenceBackend(),
    createWasmBackend({ threads: 1, kernels: 'strict' }),
    createWasmBackend({ threads: 3, kernels: 'auto' }),
  ];
  for (const tiny of [tinyLlama, { ...tinyQwen3, dtype: 'Q8_0' } as const]) {
    const checkpoint = await checkpointOf(folder, tiny);
    for (const [i, backend] of backends.entries()) {
      for (const contextLength of [16, 64, 65, 1000, 4096]) {
        const { need, ...rest } = judgeMemory(checkpoint, backend, { ...options, contextLength }, free(GiB));
        t.match(rest, { verdict: 'fits', contextLength, remedies: [] });
        const plan = planBackend(buildModel(checkpoint, { contextLength }), options, 0);
        const taken = backend.measure(plan);
        t.same(need, taken, `${tiny.architecture} ${i} ${contextLength}`);
        if (contextLength !== 65) continue;
        const executor = await backend.load(plan, () => undefined);
        t.same(executor.memory, taken);
        await executor.close();
      }
    }
  }
});

void t.test('the context nobody asked for is the trained one', async (t) => {
  const checkpoint = await checkpointOf(t.testdir(), { ...tinyLlama, contextLength: 1024 });
  t.equal(judgeMemory(checkpoint, createReferenceBackend(), options, free(GiB)).contextLength, 1024);
});

void t.test('what does not fit is told with what would', async (t) => {
  const checkpoint = await checkpointOf(t.testdir(), tinyLlama);
  const backend = createReferenceBackend();
  const judge = (contextLength: number, memory: ReturnType<typeof free>, changes = {}) =>
    judgeMemory(checkpoint, backend, { ...options, contextLength, ...changes }, memory);

  const long = judge(1_000_000, free(200 * MiB));
  t.match(long, { verdict: 'too_large', contextLength: 1_000_000 });
  t.match(long.remedies, [/^--ctx 262144 \(1\d\d MiB\)$/]);
  t.match(describeMemory(long), {
    what: /^the model needs \d+ MiB of memory, 200 MiB are free \(weights .*, cache 488 MiB for a context of 1,000,000, scratch /,
    remedy: /^use --ctx 262144 \(/,
  });
  t.equal(judge(1_000_000, free(2 * GiB)).verdict, 'fits');

  const swapping = judge(1_000_000, free(200 * MiB, GiB));
  t.equal(swapping.verdict, 'tight');
  t.match(swapping.remedies, [/^--ctx 262144/]);

  const hopeless = judge(4096, free(100_000));
  t.equal(hopeless.verdict, 'too_large');
  t.match(hopeless.remedies, [/^a quantization with fewer bits than F32: Q4_0 has 0\.0 MiB of weights$/]);
  const small = await checkpointOf(t.testdir(), { ...tinyLlama, dtype: 'Q4_0' });
  t.match(judgeMemory(small, backend, options, free(1)).remedies, ['a smaller model']);

  const wasm = createWasmBackend({ threads: 1, kernels: 'strict' });
  const half = judgeMemory(checkpoint, wasm, { ...options, contextLength: 1_000_000 }, free(400 * MiB));
  t.match(half.remedies, [/^--ctx 524288/, /^--kv-cache i16 \(\d+ MiB\)$/]);
});

void t.test('the pool takes at most half of what remains, and a whole context at least', async (t) => {
  const checkpoint = await checkpointOf(t.testdir(), tinyLlama);
  const backend = createReferenceBackend();
  const poolOf = (bytes: number): number => {
    const { poolBytes } = judgeMemory(checkpoint, backend, options, free(bytes));
    return planBackend(buildModel(checkpoint), { ...options, maxSequences: 16 }, poolBytes).kvBlocks;
  };
  t.equal(poolOf(GiB), 16 * 4, 'all sequences at full length');
  t.equal(poolOf(1), 4, 'one of them');
  const some = poolOf(2 * MiB);
  t.ok(some > 4 && some < 64, `${some} blocks`);
});

void t.test('free memory: the kernel, and every control group above us, without the cache of files', async (t) => {
  const machine = 'MemTotal:  8000 kB\nMemFree:  10 kB\nMemAvailable:    4000 kB\nSwapFree:        1000 kB\n';
  const of = (files: Readonly<Record<string, string>>) =>
    freeMemory({
      platform: 'linux',
      read: (path) => {
        const text = { '/proc/meminfo': machine, ...files }[path];
        if (text === undefined) throw new Error(`no ${path}`);
        return text;
      },
    });
  const kB = 1024;
  t.same(of({}), { freeBytes: 4000 * kB, limitBytes: 5000 * kB });
  const unlimited = {
    '/proc/self/cgroup': '0::/a/b\n',
    '/sys/fs/cgroup/a/b/memory.max': 'max\n',
    '/sys/fs/cgroup/a/b/memory.current': '5\n',
  };
  t.same(of(unlimited), { freeBytes: 4000 * kB, limitBytes: 5000 * kB });
  const limited = {
    ...unlimited,
    '/sys/fs/cgroup/a/memory.max': `${3000 * kB}\n`,
    '/sys/fs/cgroup/a/memory.current': `${2900 * kB}\n`,
    '/sys/fs/cgroup/a/memory.stat': `anon 9\nactive_file ${500 * kB}\ninactive_file ${1000 * kB}\n`,
  };
  t.same(of(limited), { freeBytes: 1600 * kB, limitBytes: 1600 * kB }, 'a limit above ours, no swap beyond it');
  const older = {
    '/proc/self/cgroup': '5:cpu:/x\n4:memory:/docker/1\n0::/\n',
    '/sys/fs/cgroup/memory/memory.limit_in_bytes': `${1000 * kB}\n`,
    '/sys/fs/cgroup/memory/memory.usage_in_bytes': `${999 * kB}\n`,
    '/sys/fs/cgroup/memory/memory.stat': `cache 7\ntotal_active_file ${20 * kB}\ntotal_inactive_file ${30 * kB}\n`,
  };
  t.same(of(older), { freeBytes: 51 * kB, limitBytes: 51 * kB });
  t.match(freeMemory(), { freeBytes: Number, limitBytes: Number });
  t.equal(freeMemory({ platform: 'darwin' }).freeBytes, freeMemory({ platform: 'darwin' }).limitBytes);
});
