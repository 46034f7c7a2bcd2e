// One build, one set of bits: on the machine's Node and on the engine's own, where V8 compiles the same kernels otherwise. And two builds
// with one set of bits: rel16 and vnni differ in how exact integers are summed, and in nothing else.

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { bundledNode } from '../engine/bundled-runtime.ts';
import { computeBits, type Bits } from '../testing/bits.ts';
import { fixturesRoot, projectRoot } from '../testing/fixtures.ts';

const types = ['f16', 'q8_0', 'q5_1', 'q4_k', 'q6_k'];
const quantised = types.map((type) => join(fixturesRoot ?? '', 'models', 'quant', `q-${type}.gguf`));
const models = [join(projectRoot, 'models', 'demo-3m-Q8_0.gguf'), ...(fixturesRoot === undefined ? [] : quantised)];
const here = await computeBits(models);

void t.test('rel16 and vnni give equal bits, strict its own', async (t) => {
  const { strict, rel16, vnni } = here;
  t.equal(Object.keys(strict).length, models.length);
  if (rel16 !== undefined) t.notSame(rel16, strict);
  if (rel16 !== undefined && vnni !== undefined) t.same(vnni, rel16);
  else void t.skip('kernels build "vnni" does not run on this Node', () => undefined);
});

void t.test('the engine runtime gives the bits of this Node', async (t) => {
  const node = bundledNode();
  if (!existsSync(node)) {
    void t.skip('no runtime: npm run build:runtime installs it on Linux x64 with glibc', () => undefined);
    return;
  }
  const script = fileURLToPath(new URL('../testing/print-bits.js', import.meta.url));
  const there = JSON.parse(execFileSync(node, [script, ...models], { encoding: 'utf8' })) as Bits;
  t.comment(`here ${Object.keys(here).join(', ')}; there ${Object.keys(there).join(', ')}`);
  for (const [build, bits] of Object.entries(there)) {
    if (build in here) t.same(bits, here[build], build);
    else if (build === 'vnni') t.same(bits, here['rel16'], 'vnni there, rel16 here');
  }
});
