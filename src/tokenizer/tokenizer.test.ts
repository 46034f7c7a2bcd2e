import { Tokenizer as PackageTokenizer } from '@huggingface/tokenizers';
import t from 'tap';
import type { Metadata } from '../core/metadata.ts';
import { byteCharacter } from './byte-alphabet.ts';
import { Detokenizer } from './detokenizer.ts';
import { createTokenizer } from './gguf.ts';
import { TokenizerError } from './keys.ts';
import { preTokenizerNames } from './pre-tokenizers.ts';
import { promptIds, withBos } from './prompt.ts';

const merges = ['t h', 'th e', 'Ġ the', 'i n', 'Ã ©', 'Ġ Ġ', '1 2', '12 3', 'L L', "' s"];

/** All bytes, a few merges, an added token, control tokens. */
function byteLevel(overrides: Record<string, Metadata[string]> = {}): Metadata {
  const bytes = Array.from({ length: 256 }, (_, byte) => byteCharacter(byte));
  const added = ['<|im_start|>', '<|im_end|>', '<s>', '<tool>', '<|end|>', '<|return|>', '<|call|>', '</s>', ' \udcff'];
  const tokens = [...bytes, ...merges.map((merge) => merge.replace(' ', '')), ...added];
  const kind = (token: string): number => (!added.includes(token) ? 1 : token === '<tool>' || token === '</s>' ? 4 : 3);
  return {
    'tokenizer.ggml.model': 'gpt2',
    'tokenizer.ggml.pre': 'gpt-2',
    'tokenizer.ggml.tokens': tokens,
    'tokenizer.ggml.token_type': tokens.map(kind),
    'tokenizer.ggml.merges': merges,
    'tokenizer.ggml.bos_token_id': tokens.indexOf('<s>'),
    'tokenizer.ggml.eos_token_id': tokens.indexOf('<|im_end|>'),
    'tokenizer.ggml.add_bos_token': true,
    ...overrides,
  };
}

function tokenizer(overrides: Record<string, Metadata[string]> = {}): ReturnType<typeof createTokenizer> {
  return createTokenizer(byteLevel(overrides));
}

/** A seeded generator: the same texts in every run. */
function* randomTexts(count: number, longest: number): Generator<string> {
  const ranges = [
    [0x20, 0x7e],
    [0x00, 0x1f],
    [0xa0, 0x17f],
    [0x300, 0x36f],
    [0x400, 0x4ff],
    [0x900, 0x97f],
    [0x2000, 0x206f],
    [0x3040, 0x30ff],
    [0x4e00, 0x9fff],
    [0xd800, 0xdfff],
    [0xfff0, 0xffff],
    [0x1f300, 0x1faff],
    [0x20000, 0x20100],
  ];
  let state = 12345;
  const below = (n: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  for (let i = 0; i < count; i++) {
    let text = '';
    for (let length = below(longest); length > 0; length--) {
      const [from, to] = ranges[below(ranges.length)];
      text += String.fromCodePoint(from + below(to - from + 1));
    }
    yield text;
  }
}

void t.test('byte-level BPE merges inside words, in the order of the merges', async (t) => {
  const { vocabulary } = tokenizer();
  const pieces = (text: string): string[] => [...tokenizer().encode(text)].map((id) => vocabulary.piece(id));
  t.same(pieces('the the inn'), ['the', 'Ġthe', 'Ġ', 'in', 'n']);
  t.same(pieces('é\u{1f642}'), ['Ã©', 'ð', 'Ł', 'Ļ', 'Ĥ']);
  t.same(pieces(''), []);
});

void t.test('the pre-tokenizer decides where words end', async (t) => {
  const pieces = (pre: string, text: string): string[] => {
    const made = tokenizer({ 'tokenizer.ggml.pre': pre });
    return [...made.encode(text)].map((id) => made.vocabulary.piece(id));
  };
  t.same(pieces('gpt-2', '1234'), ['123', '4'], 'digits together');
  t.same(pieces('qwen2', '123'), ['1', '2', '3'], 'each digit alone');
  t.same(pieces('llama-bpe', '1231'), ['123', '1'], 'three digits');
  t.same(pieces('gpt-2', "'S's"), ["'", 'S', "'s"], 'only lower case contractions');
  t.same(pieces('gpt-4o', 'aLLa'), ['a', 'LL', 'a'], 'a word of either case');
  t.same(pieces('qwen2', 'e\u0301'), ['Ã©'], 'composed first');
  t.same(pieces('gpt-2', 'e\u0301'), ['e', 'Ì', 'ģ'], 'left as it is');
});

void t.test('every known pre-tokenizer keeps all of a text', async (t) => {
  const texts = [
    ...randomTexts(40, 60),
    "It's 12,345.67 o'clock: ПРИВЕТ мир — 你好。\r\n\n  x\t\u0905\u093f <|im_end|>",
  ];
  for (const pre of preTokenizerNames()) {
    const made = tokenizer({ 'tokenizer.ggml.pre': pre });
    const lost = texts.filter((text) => {
      const normal = made.decode(made.encode(text.toWellFormed()));
      return normal !== text.toWellFormed() && normal !== text.toWellFormed().normalize('NFC');
    });
    t.same(lost, [], pre);
  }
});

void t.test('ids equal what the package gives for the same tokenizer.json', async (t) => {
  const metadata = byteLevel();
  const tokens = metadata['tokenizer.ggml.tokens'] as string[];
  const reference = new PackageTokenizer(
    {
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true },
      post_processor: null,
      decoder: { type: 'ByteLevel' },
      model: { type: 'BPE', vocab: Object.fromEntries(tokens.map((token, id) => [token, id])), merges },
    },
    {},
  );
  const made = createTokenizer(metadata);
  // Words beyond 256 bytes take our own way through the merges.
  const long = ['the', 'ththee', '1', '123', ' ', 'é', 'LLtheinLé', '\n'].map((unit) => unit.repeat(300));
  const different = [...long, ...randomTexts(200, 40)]
    .map((text) => text.toWellFormed())
    .filter(
      (text) =>
        text !== '' && made.encode(text).join() !== reference.encode(text, { add_special_tokens: false }).ids.join(),
    );
  t.same(different, []);
});

void t.test('decode(encode(text)) is the text', async (t) => {
  const made = tokenizer();
  t.same(
    [...randomTexts(300, 80)].filter((text) => made.decode(made.encode(text)) !== text.toWellFormed()),
    [],
  );
});

void t.test('special tokens are text unless the caller parses them; added tokens always match', async (t) => {
  const made = tokenizer();
  const { vocabulary } = made;
  const [start, tool] = [vocabulary.find('<|im_start|>'), vocabulary.find('<tool>')];
  t.same([...made.encode('<|im_start|>in', { special: true })], [start, vocabulary.find('in')]);
  t.notOk(made.encode('<|im_start|>in').includes(start ?? -1));
  t.ok(made.encode('a<tool>b').includes(tool ?? -1));
  t.equal(made.decode(made.encode('<|im_start|>in<tool>', { special: true })), 'in<tool>');
  t.equal(made.decode(made.encode('<|im_start|>in', { special: true }), { special: true }), '<|im_start|>in');
  t.equal(made.decode(made.encode('<|im_start|>in')), '<|im_start|>in');
});

void t.test('of several special tokens at one place the longest is taken', async (t) => {
  const made = tokenizer({
    'tokenizer.ggml.tokens': ['a', 'b', 'c', '<x', '<xy', '<xyz>'],
    'tokenizer.ggml.token_type': [1, 1, 1, 4, 4, 4],
    'tokenizer.ggml.merges': [],
    'tokenizer.ggml.add_bos_token': false,
    'tokenizer.ggml.bos_token_id': 0,
    'tokenizer.ggml.eos_token_id': 0,
  });
  t.same([...made.encode('a<xyz><xyb<x<xyz')], [0, 5, 4, 1, 3, 4]);
});

void t.test('a prompt begins with BOS exactly once, and only where the file asks', async (t) => {
  const made = tokenizer();
  const { bos } = made.vocabulary;
  for (const text of ['in', '<s>in']) t.same([...promptIds(made, text)], [bos, made.vocabulary.find('in')]);
  t.same([...withBos(made, Int32Array.of(5))], [bos, 5]);
  t.same([...promptIds(tokenizer({ 'tokenizer.ggml.add_bos_token': false }), 'in')], [made.vocabulary.find('in')]);
});

void t.test('tokens that end a turn are known by their names, too', async (t) => {
  const names = ({ vocabulary }: ReturnType<typeof createTokenizer>): string[] =>
    [...vocabulary.endOfGeneration].map((id) => vocabulary.piece(id)).sort();
  // <|end|> ends a message where <|return|> and <|call|> end the turn; </s> is plain HTML when it is no control token.
  t.same(names(tokenizer()), ['<|call|>', '<|im_end|>', '<|return|>']);
  const eot = tokenizer().vocabulary.find('<tool>') ?? 0;
  const added = (byteLevel()['tokenizer.ggml.token_type'] as number[]).map((type) => (type === 3 ? 4 : type));
  t.same(names(tokenizer({ 'tokenizer.ggml.token_type': added })), ['<|call|>', '<|im_end|>', '<|return|>']);
  t.same(names(tokenizer({ 'tokenizer.ggml.eot_token_id': eot })), ['<tool>', '<|call|>', '<|im_end|>', '<|return|>']);
});

void t.test('pieces stand for bytes, whatever their spelling', async (t) => {
  const { vocabulary } = tokenizer();
  const bytes = (piece: string): number[] => {
    const id = vocabulary.find(piece) ?? -1;
    const once = [...vocabulary.bytes(id, { once: true })];
    const kept = [...vocabulary.bytes(id)];
    t.same(once, kept);
    t.same([...vocabulary.bytes(id, { once: true })], kept);
    return kept;
  };
  t.same(bytes('Ġthe'), [0x20, 0x74, 0x68, 0x65]);
  t.same(bytes('Ã©'), [0xc3, 0xa9]);
  t.same(bytes('<s>'), [0x3c, 0x73, 0x3e], 'control tokens: their text');
  t.same(bytes(' \udcff'), [0x20, 0xff], 'a byte that is no UTF-8');
  t.throws(() => vocabulary.bytes(100_000), { kind: 'invalid_request', code: 'invalid_token_id' });
});

void t.test('the detokenizer never gives out half a character', async (t) => {
  const made = tokenizer();
  const pushed = (ids: Iterable<number>): string[] => {
    const detokenizer = new Detokenizer(made);
    return [...Array.from(ids, (id) => detokenizer.push(id)), detokenizer.end()];
  };
  t.same(pushed(made.encode('\u{1f642}!')), ['', '', '', '\u{1f642}', '!', '']);
  const [head] = made.encode('\u{1f642}');
  t.same(pushed([head]), ['', '\ufffd'], 'an unfinished character is replaced at the end');
  t.same(pushed([head, ...made.encode('a')]), ['', '\ufffda', ''], 'and as soon as it cannot be finished');
});

void t.test('any chunking of the detokenizer gives what decode gives', async (t) => {
  const made = tokenizer();
  let seed = 7;
  const wrong: number[][] = [];
  for (let round = 0; round < 300; round++) {
    // Random ids: mostly broken UTF-8, with control and added tokens in between.
    const ids = Array.from({ length: round % 40 }, () => {
      seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
      return (seed >> 8) % made.vocabulary.size;
    });
    const detokenizer = new Detokenizer(made);
    const given = [...ids.map((id) => detokenizer.push(id)), detokenizer.end()];
    const bytes = ids.filter((id) => made.vocabulary.kind(id) !== 'control').map((id) => made.vocabulary.bytes(id));
    const whole = new TextDecoder('utf-8', { ignoreBOM: true }).decode(Buffer.concat(bytes));
    if (given.join('') !== whole || made.decode(ids) !== whole || !given.every((piece) => piece.isWellFormed()))
      wrong.push(ids);
  }
  t.same(wrong, []);
});

void t.test('single control tokens can be shown', async (t) => {
  const made = tokenizer();
  const call = made.vocabulary.find('<|call|>') ?? -1;
  const detokenizer = new Detokenizer(made, { shows: new Set([call]) });
  t.equal(detokenizer.push(call) + detokenizer.push(made.vocabulary.find('<|return|>') ?? -1), '<|call|>');
});

void t.test('metadata that describes no tokenizer is refused by name', async (t) => {
  const refuses = (overrides: Record<string, Metadata[string]>, words: RegExp): void => {
    t.throws(() => tokenizer(overrides), { name: TokenizerError.name, message: words }, String(words));
  };
  refuses({ 'tokenizer.ggml.model': 'abacus' }, /"abacus".*known are gpt2/);
  refuses({ 'tokenizer.ggml.model': 7 }, /model is not a string/);
  refuses({ 'tokenizer.ggml.pre': 'gpt-9' }, /"gpt-9".*Known are/);
  refuses({ 'tokenizer.ggml.tokens': [] }, /tokens is missing/);
  refuses({ 'tokenizer.ggml.tokens': 'abc' }, /tokens is not an array/);
  refuses({ 'tokenizer.ggml.tokens': [1, 2] }, /tokens is not an array of strings/);
  refuses({ 'tokenizer.ggml.tokens': ['x'.repeat(20_000)] }, /string of 20000 characters/);
  refuses({ 'tokenizer.ggml.bos_token_id': 1000 }, /bos_token_id is 1000/);
  refuses({ 'tokenizer.ggml.bos_token_id': 0xffffffff }, /bos_token_id is missing/);
  refuses({ 'tokenizer.ggml.token_type': [1] }, /token_type has 1 entries/);
  refuses({ 'tokenizer.ggml.token_type': Array.from({ length: 300 }, () => 9) }, /token_type of token 0 is 9/);
  refuses({ 'tokenizer.ggml.merges': ['ab'] }, /no pair/);
  refuses(
    { 'tokenizer.ggml.tokens': ['你'], 'tokenizer.ggml.bos_token_id': 0, 'tokenizer.ggml.eos_token_id': 0 },
    /byte-level alphabet/,
  );
  t.throws(() => createTokenizer({}), /model is missing/);
  const { 'tokenizer.ggml.merges': _, ...withoutMerges } = byteLevel();
  t.throws(() => createTokenizer(withoutMerges), /merges is missing/);
});

void t.test('a file without a pre-tokenizer works, with a warning', async (t) => {
  const { 'tokenizer.ggml.pre': _, ...unnamed } = byteLevel();
  const made = createTokenizer(unnamed);
  t.match(made.warnings, [/tokenizer.ggml.pre/]);
  t.equal(made.decode(made.encode('the 1234!')), 'the 1234!');
  t.same(tokenizer().warnings, []);
});
