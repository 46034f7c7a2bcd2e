// What a checkpoint is called.

import t from 'tap';
import type { Checkpoint } from './checkpoint.ts';
import { describeCheckpoint } from './describe.ts';

void t.test('recipes are told by the tensors, not by the file type', async (t) => {
  const files = ['/somewhere/Some-Model-Q9_Z.gguf'];
  const describe = (...matrices: readonly (readonly [string, string, number])[]): string => {
    const tensors = matrices.map(
      ([name, dtype, rows]) => [name, { name, dtype, shape: [256, rows], file: '', offset: 0, bytes: rows }] as const,
    );
    const checkpoint = { files, metadata: {}, tensors: new Map(tensors), tensorBytes: 0 } as unknown as Checkpoint;
    return describeCheckpoint(checkpoint).quantization;
  };
  t.equal(describe(['blk.0.attn_q.weight', 'Q4_K', 9]), 'Q4_K');
  t.equal(describe(['blk.0.ffn_up.weight', 'Q4_K', 9], ['blk.0.ffn_down.weight', 'Q6_K', 3]), 'Q4_K_M');
  t.equal(describe(['blk.0.ffn_up.weight', 'Q4_K', 9], ['output.weight', 'Q6_K', 3]), 'Q4_K_S');
  t.equal(describe(['blk.0.ffn_up.weight', 'Q5_K', 9], ['blk.0.attn_v.weight', 'Q6_K', 3]), 'Q5_K_M');
  t.equal(describe(['blk.0.ffn_up.weight', 'Q3_K', 9], ['blk.0.ffn_down.weight', 'Q4_K', 3]), 'Q3_K_M');
  t.equal(describe(['blk.0.ffn_up.weight', 'Q3_K', 9], ['blk.0.ffn_down.weight', 'Q5_K', 3]), 'Q3_K_L');
  t.equal(describe(['blk.0.ffn_up.weight', 'Q8_0', 9], ['token_embd.weight', 'F16', 3]), 'Q8_0');
  t.equal(describe(['a', 'Q4_K', 4], ['b', 'Q6_K', 3], ['c', 'Q8_0', 3]), 'mixed (Q4_K 40 %, Q6_K 30 %, Q8_0 30 %)');
  t.equal(describe(), 'none');
  const nameless = { files, metadata: { 'general.name': ' ' }, tensors: new Map(), tensorBytes: 0 };
  t.equal(describeCheckpoint(nameless).name, 'Some-Model-Q9_Z');
  const rude = { ...nameless, metadata: { 'general.name': `\u001b[2J"A" \\ ${'x'.repeat(200)}` } };
  t.match(describeCheckpoint(rude).name, /^\\u001b\[2J"A" \\ x{60,}…$/);
});
