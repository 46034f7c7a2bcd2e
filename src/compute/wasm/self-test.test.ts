import t from 'tap';
import type { Backend } from '../backend.ts';
import { createReferenceBackend } from '../reference/backend.ts';
import { builtKernels, whyNot } from './builds.ts';
import { kernelTypes, panelRows } from './formats.ts';
import { probeKernels } from './probe.ts';
import { compareBackends, selfTest } from './self-test.ts';

void t.test('every build that may run here computes what scalar code does', async (t) => {
  const builds = builtKernels().filter((name) => whyNot(name, probeKernels()) === undefined);
  t.ok(builds.includes('strict'));
  for (const kernels of builds) {
    const report = await selfTest({ kernels, threads: 2 });
    t.match(report, { build: kernels, reason: String, wrong: [], ms: Number });
    t.ok(report.kernels > kernelTypes.length);
  }
});

/** The reference backend with a slip in its logits, for passes of so many tokens. */
function slipping(at: number, by: number, count: number): Backend {
  const reference = createReferenceBackend();
  return {
    measure: (plan) => reference.measure(plan),
    async load(plan, progress) {
      const executor = await reference.load(plan, progress);
      return {
        build: 'slipping',
        numerics: 'slipping',
        memory: executor.memory,
        blocks: executor.blocks,
        close: () => executor.close(),
        async forward(batch) {
          const logits = Float32Array.from(await executor.forward(batch));
          if (batch.ids.length === count && at < logits.length) logits[at] += by;
          return logits;
        },
      };
    },
  };
}

void t.test('a kernel that computes something else is named', async (t) => {
  const reference = createReferenceBackend();
  t.same(await compareBackends(reference, reference), []);
  const [first, second] = kernelTypes;
  t.same(await compareBackends(slipping(panelRows + 3, 1e4, 1), reference), [`${second} product`], 'one token alone');
  const found = await compareBackends(slipping(0, Number.NaN, 9), reference);
  t.same(found, [`${first} product`, 'embed', 'attention f16'], 'the first value of each program');
});
