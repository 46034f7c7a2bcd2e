import t from 'tap';
import { fixture } from '../testing/fixtures.ts';
import { openCheckpoint } from '../weights/gguf.ts';
import { findFillInMiddle } from './fill-in-middle.ts';
import { createTokenizer } from './gguf.ts';
import type { FillInMiddle } from './tokenizer.ts';

function find(pieces: readonly string[], named: Readonly<Record<string, number>> = {}): FillInMiddle | undefined {
  const ids = new Map(pieces.map((piece, id) => [piece, id]));
  return findFillInMiddle({ named: (key) => named[key], special: (piece) => ids.get(piece) });
}

void t.test('the file names the tokens, or their names are known', async (t) => {
  const none = new Set<number>();
  t.same(find(['<|fim_prefix|>', '<|fim_middle|>', '<|fim_suffix|>']), { prefix: 0, suffix: 2, middle: 1, ends: none });
  t.same(find(['a', '<fim_prefix>', '<fim_suffix>', '<fim_middle>']), { prefix: 1, suffix: 2, middle: 3, ends: none });
  t.same(find(['[SUFFIX]', '[PREFIX]']), { prefix: 1, suffix: 0, middle: undefined, ends: none });
  const named = { fim_pre_token_id: 7, fim_suf_token_id: 8, fim_mid_token_id: 9 };
  t.same(find(['<fim_prefix>', '<fim_suffix>', '<fim_middle>'], named), {
    prefix: 7,
    suffix: 8,
    middle: 9,
    ends: none,
  });
  t.same(find([], { prefix_token_id: 1, suffix_token_id: 2, middle_token_id: 3 }), {
    prefix: 1,
    suffix: 2,
    middle: 3,
    ends: none,
  });
});

void t.test('some of them are not enough', async (t) => {
  t.equal(find([]), undefined);
  t.equal(find(['<|fim_prefix|>', '<|fim_suffix|>']), undefined);
  t.equal(find(['<fim_middle>', '<|fim_prefix|>', '<|fim_suffix|>']), undefined, 'of one family');
  t.equal(find([], { fim_pre_token_id: 1, fim_suf_token_id: 2 }), undefined);
});

void t.test('what ends a filling', async (t) => {
  const pieces = ['<|fim_prefix|>', '<|fim_suffix|>', '<|fim_middle|>', '<|fim_pad|>', '<|repo_name|>', '<|file_sep|>'];
  t.same(find(pieces)?.ends, new Set([3, 4, 5]));
  t.same(find(pieces, { fim_pad_token_id: 9 })?.ends, new Set([9, 3, 4, 5]));
});

void t.test('vocabularies of coders have them, others do not', async (t) => {
  const expected = {
    'deepseek-coder': ['<\uff5cfim\u2581begin\uff5c>', '<\uff5cfim\u2581hole\uff5c>', '<\uff5cfim\u2581end\uff5c>'],
    starcoder: ['<fim_prefix>', '<fim_suffix>', '<fim_middle>'],
    'llama-spm': undefined,
  };
  for (const [name, pieces] of Object.entries(expected)) {
    const file = fixture(t, `tokenizers/${name}.gguf`);
    if (file === undefined) return;
    const { vocabulary } = createTokenizer((await openCheckpoint(file)).metadata);
    const { prefix, suffix, middle } = vocabulary.fillInMiddle ?? {};
    const found = [prefix, suffix, middle].map((id) => (id === undefined ? undefined : vocabulary.piece(id)));
    t.same(found, pieces ?? [undefined, undefined, undefined], name);
  }
});
