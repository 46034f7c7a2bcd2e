import t from 'tap';
import { createTokenizer } from './gguf.ts';
import { byteCharacter } from './byte-alphabet.ts';
import { Detokenizer } from './detokenizer.ts';
import { promptIds } from './prompt.ts';
import type { Metadata } from '../core/metadata.ts';
import { TokenizerError } from './keys.ts';

/** All bytes, a few merges, an added token, a control token. */
export function tinyByteLevel(overrides: Record<string, Metadata[string]> = {}): Metadata {
  const bytes = Array.from({ length: 256 }, (_, byte) => byteCharacter(byte));
  const merges = ['t h', 'th e', 'Ġ the', 'i n', 'Ã ©'];
  const tokens = [
    ...bytes,
    ...merges.map((merge) => merge.replace(' ', '')),
    '<|im_start|>',
    '<|im_end|>',
    '<tool>',
    '<s>',
  ];
  return {
    'tokenizer.ggml.model': 'gpt2',
    'tokenizer.ggml.pre': 'gpt-2',
    'tokenizer.ggml.tokens': tokens,
    'tokenizer.ggml.token_type': tokens.map((token) =>
      token === '<tool>' ? 4 : token.length > 4 || token === '<s>' ? 3 : 1,
    ),
    'tokenizer.ggml.merges': merges,
    'tokenizer.ggml.bos_token_id': tokens.indexOf('<s>'),
    'tokenizer.ggml.eos_token_id': tokens.indexOf('<|im_end|>'),
    'tokenizer.ggml.add_bos_token': true,
    ...overrides,
  };
}

void t.test('byte-level BPE merges inside words and keeps every byte', async (t) => {
  const tokenizer = createTokenizer(tinyByteLevel());
  const pieces = (text: string): string[] => [...tokenizer.encode(text)].map((id) => tokenizer.vocabulary.piece(id));
  t.same(pieces('the the inn'), ['the', 'Ġthe', 'Ġ', 'in', 'n']);
  t.same(pieces('é\u{1f642}'), ['Ã©', 'ð', 'Ł', 'Ļ', 'Ĥ']);
  t.equal(tokenizer.decode(tokenizer.encode('the é \u{1f642}\n\n x')), 'the é \u{1f642}\n\n x');
});

void t.test('special tokens are text unless the caller parses them; added tokens always match', async (t) => {
  const tokenizer = createTokenizer(tinyByteLevel());
  const { vocabulary } = tokenizer;
  const [start, tool] = [vocabulary.find('<|im_start|>'), vocabulary.find('<tool>')];
  t.same([...tokenizer.encode('<|im_start|>in', { special: true })], [start, vocabulary.find('in')]);
  t.notOk([...tokenizer.encode('<|im_start|>in')].includes(start ?? -1));
  t.ok([...tokenizer.encode('a<tool>b')].includes(tool ?? -1));
  t.equal(tokenizer.decode(tokenizer.encode('<|im_start|>in<tool>', { special: true })), 'in<tool>');
  t.equal(tokenizer.decode(tokenizer.encode('<|im_start|>in', { special: true }), { special: true }), '<|im_start|>in');
});

void t.test('a prompt begins with BOS exactly once', async (t) => {
  const tokenizer = createTokenizer(tinyByteLevel());
  const bos = tokenizer.vocabulary.bos;
  for (const text of ['in', '<s>in']) t.same([...promptIds(tokenizer, text)], [bos, tokenizer.vocabulary.find('in')]);
});

void t.test('the detokenizer never gives out half a character', async (t) => {
  const tokenizer = createTokenizer(tinyByteLevel());
  const detokenizer = new Detokenizer(tokenizer);
  const pieces = [...tokenizer.encode('\u{1f642}!')].map((id) => detokenizer.push(id));
  t.same([...pieces, detokenizer.end()], ['', '', '', '\u{1f642}', '!', '']);
});

void t.test('metadata that describes no tokenizer is refused by name', async (t) => {
  const refuses = (overrides: Record<string, Metadata[string]>, words: RegExp): void => {
    t.throws(() => createTokenizer(tinyByteLevel(overrides)), { name: TokenizerError.name, message: words });
  };
  refuses({ 'tokenizer.ggml.model': 'abacus' }, /abacus/);
  refuses({ 'tokenizer.ggml.pre': 'gpt-9' }, /gpt-9/);
  refuses({ 'tokenizer.ggml.tokens': [] }, /tokens is missing/);
  refuses({ 'tokenizer.ggml.bos_token_id': 1000 }, /bos_token_id is 1000/);
  refuses({ 'tokenizer.ggml.token_type': [1] }, /token_type has 1 entries/);
  refuses({ 'tokenizer.ggml.merges': ['ab'] }, /no pair/);
});
