import { Tokenizer as PackageTokenizer } from '@huggingface/tokenizers';
import t from 'tap';
import type { Metadata } from '../core/metadata.ts';
import { encodeUtf8 } from '../core/utf8.ts';
import { CharsMap } from './charsmap.ts';
import { cleanSpaces } from './clean-spaces.ts';
import { Detokenizer } from './detokenizer.ts';
import { createTokenizer } from './gguf.ts';
import type { FileTokenizer } from './gguf.ts';
import { codePointEdges, mergeSymbols } from './merge.ts';
import { PieceIndex } from './piece-index.ts';

const byteTokens = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);

function pieces(tokenizer: FileTokenizer, text: string, special = false): string[] {
  return [...tokenizer.encode(text, { special })].map((id) => tokenizer.vocabulary.piece(id));
}

/** Deterministic texts over a small alphabet: many chances to join. */
function* texts(count: number, alphabet: string): Generator<string> {
  const letters = Array.from(alphabet);
  let state = 99;
  for (let i = 0; i < count; i++) {
    let text = '';
    for (let length = i % 50; length > 0; length--) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      text += letters[Math.floor((state / 2 ** 32) * letters.length)];
    }
    yield text;
  }
}

/** The naive form: look at all pairs, join the best, start again. */
function mergeSlowly(text: string, cost: (piece: string) => number | undefined): string[] {
  const symbols = Array.from(text);
  for (;;) {
    let best = -1;
    let least = Infinity;
    for (let i = 0; i + 1 < symbols.length; i++) {
      const found = cost(symbols[i] + symbols[i + 1]);
      if (found !== undefined && found < least) {
        least = found;
        best = i;
      }
    }
    if (best < 0) return symbols;
    symbols.splice(best, 2, symbols[best] + symbols[best + 1]);
  }
}

const joints = new Map([
  ['ab', 3],
  ['bc', 1],
  ['abc', 2],
  ['aa', 4],
  ['aaaa', 2],
  ['\u{1f642}a', 1],
  ['ca', 3],
  ['abca', 0],
]);

void t.test('merging with a queue gives what looking at every pair each time gives', async (t) => {
  const different = [...texts(400, 'aabc\u{1f642}')].filter((text) => {
    const edges = mergeSymbols(codePointEdges(text), (start, _, end) => joints.get(text.slice(start, end)));
    const fast = Array.from({ length: edges.length - 1 }, (_, i) => text.slice(edges[i], edges[i + 1]));
    return fast.join('|') !== mergeSlowly(text, (piece) => joints.get(piece)).join('|');
  });
  t.same(different, []);
});

void t.test('merging looks at a number of pairs that grows with the length of the text', async (t) => {
  const looks = (text: string): number => {
    let count = 0;
    mergeSymbols(codePointEdges(text), (start, _, end) => {
      count++;
      return joints.get(text.slice(start, end));
    });
    return count;
  };
  for (const unit of ['a', 'abc', 'x', 'abca']) {
    const [once, twice] = [looks(unit.repeat(20_000)), looks(unit.repeat(40_000))];
    t.ok(once < 4 * 20_000 * unit.length, `${unit}: ${once}`);
    t.ok(twice < 2.05 * once, `${unit}: ${once}, twice the text ${twice}`);
  }
});

function sentencePiece(overrides: Record<string, Metadata[string]> = {}): Metadata {
  const scored: [string, number][] = [
    ['▁', -1],
    ['h', -9],
    ['e', -9],
    ['l', -9],
    ['o', -9],
    ['▁h', -3],
    ['he', -2],
    ['▁he', -4],
    ['ll', -1],
    ['llo', -5],
    ['lo', -7],
    // The ways to the names of a control and of a byte token.
    ['<s', -1],
    ['<0', -1],
    ['<0x', -1],
    ['<0x4', -1],
    ['<0x41', -1],
  ];
  const tokens = ['<unk>', '<s>', '</s>', ...byteTokens, ...scored.map(([piece]) => piece), '<tool>'];
  return {
    'tokenizer.ggml.model': 'llama',
    'tokenizer.ggml.tokens': tokens,
    'tokenizer.ggml.scores': tokens.map((token) => scored.find(([piece]) => piece === token)?.[1] ?? 0),
    'tokenizer.ggml.token_type': tokens.map((token, id) =>
      id === 0 ? 2 : id < 3 ? 3 : id < 259 ? 6 : token === '<tool>' ? 4 : 1,
    ),
    ...overrides,
  };
}

void t.test('SentencePiece BPE joins by score, puts a space in front and spells the rest in bytes', async (t) => {
  const tokenizer = createTokenizer(sentencePiece());
  t.same(pieces(tokenizer, 'hello'), ['▁he', 'llo']);
  t.same(pieces(tokenizer, 'hello hello'), ['▁he', 'llo', '▁he', 'llo']);
  t.same(pieces(tokenizer, 'é'), ['▁', '<0xC3>', '<0xA9>']);
  t.same(pieces(tokenizer, ''), []);
  t.same(pieces(createTokenizer(sentencePiece({ 'tokenizer.ggml.add_space_prefix': false })), 'hello'), ['he', 'llo']);
});

void t.test('SentencePiece: names of control and byte tokens stay text', async (t) => {
  const tokenizer = createTokenizer(sentencePiece());
  for (const name of ['<s>', '<0x41>', '<unk>']) {
    t.notOk(pieces(tokenizer, name).includes(name), name);
    t.equal(tokenizer.decode(tokenizer.encode(name)), name);
  }
  t.same(pieces(tokenizer, 'he<s>he', true), ['▁he', '<s>', '▁he'], 'after a token the text opens again');
  t.same(pieces(tokenizer, 'he<tool>', false), ['▁he', '<tool>']);
  t.same(pieces(tokenizer, '<0x41>', true).includes('<0x41>'), false);
});

void t.test('SentencePiece: decoding gives the text back, once without the space in front', async (t) => {
  const tokenizer = createTokenizer(sentencePiece());
  t.same(
    [...texts(200, 'helo  \né\u{1f642}<')].filter((text) => tokenizer.decode(tokenizer.encode(text)) !== text),
    [],
  );
  const ids = [...tokenizer.encode('hello')];
  const join = (detokenizer: Detokenizer): string => ids.map((id) => detokenizer.push(id)).join('') + detokenizer.end();
  t.equal(join(new Detokenizer(tokenizer)), 'hello');
  t.equal(join(new Detokenizer(tokenizer, { continues: true })), ' hello', 'what follows a prompt keeps its space');
  t.equal(tokenizer.decode([1, ...ids]), 'hello', 'a hidden BOS does not count as the first text');
});

void t.test('SentencePiece: habits of the family where the file is silent', async (t) => {
  const { vocabulary, addsBos, addsEos } = createTokenizer(sentencePiece());
  t.same([vocabulary.bos, vocabulary.eos, addsBos, addsEos], [1, 2, true, false]);
  t.ok(vocabulary.endOfGeneration.has(2));
  const { 'tokenizer.ggml.scores': _, ...unscored } = sentencePiece();
  t.throws(() => createTokenizer(unscored), /scores is missing/);
});

void t.test('without byte tokens an unknown character is one unknown token', async (t) => {
  const metadata = sentencePiece();
  const types = (metadata['tokenizer.ggml.token_type'] as number[]).map((type) => (type === 6 ? 5 : type));
  const tokenizer = createTokenizer({ ...metadata, 'tokenizer.ggml.token_type': types });
  t.same(pieces(tokenizer, 'é'), ['▁', '<unk>']);
});

void t.test('a list of merges over raw text: spaces escaped, newlines apart, bytes for the rest', async (t) => {
  const tokens = [
    '<pad>',
    '<eos>',
    '<bos>',
    '<unk>',
    ...byteTokens,
    'a',
    'b',
    '▁',
    '▁a',
    'ab',
    '▁ab',
    '\n',
    '\n\n',
    '\n\n\n',
    '</s>',
  ];
  const tokenizer = createTokenizer({
    'tokenizer.ggml.model': 'gemma4',
    'tokenizer.ggml.tokens': tokens,
    'tokenizer.ggml.token_type': tokens.map((_, id) => (id < 4 ? 3 : id < 260 ? 6 : 1)),
    'tokenizer.ggml.merges': ['\n \n', '▁ a', 'a b', '▁a b', '▁ ab'],
    'tokenizer.ggml.bos_token_id': 2,
    'tokenizer.ggml.eos_token_id': 1,
    'tokenizer.ggml.add_bos_token': false,
  });
  t.same(pieces(tokenizer, 'ab ab'), ['ab', '▁ab']);
  t.same(pieces(tokenizer, 'a\n\n\nb'), ['a', '\n\n\n', 'b'], 'a run of newlines that is a token is that token');
  t.same(pieces(tokenizer, 'é'), ['<0xC3>', '<0xA9>']);
  t.ok(tokenizer.addsBos, 'whatever the file says');
  t.equal(tokenizer.decode(tokenizer.encode(' a\n\nb é')), ' a\n\nb é');
  t.notOk(tokenizer.vocabulary.endOfGeneration.has(tokens.indexOf('</s>')), 'HTML is no end of turn');
});

/** The bytes of a normalisation map, laid out by hand: every node gets its own 256 units. */
function charsMap(rules: Readonly<Record<string, string>>): number[] {
  const units = [0];
  let texts = '';
  let next = 256;
  const place = (index: number, prefix: string, inside: readonly [string, string][]): void => {
    const base = next;
    next += 256;
    const own = inside.find(([key]) => key.length === prefix.length);
    units[index] = ((units[index] ?? 0) | ((index ^ base) << 10) | (own === undefined ? 0 : 0x100)) >>> 0;
    if (own !== undefined) {
      units[base] = (0x80000000 | texts.length) >>> 0;
      texts += `${own[1]}\0`;
    }
    const labels = new Set(inside.filter(([key]) => key.length > prefix.length).map(([key]) => key[prefix.length]));
    for (const label of labels) {
      const child = base ^ label.charCodeAt(0);
      units[child] = label.charCodeAt(0);
      const longer = prefix + label;
      place(
        child,
        longer,
        inside.filter(([key]) => key.startsWith(longer)),
      );
    }
  };
  const latin = (text: string): string => Buffer.from(encodeUtf8(text)).toString('latin1');
  place(
    0,
    '',
    Object.entries(rules).map(([from, to]) => [latin(from), latin(to)] as [string, string]),
  );
  const bytes = Buffer.alloc(4 + 4 * next);
  bytes.writeUInt32LE(4 * next, 0);
  for (let i = 0; i < next; i++) bytes.writeUInt32LE(units[i] ?? 0, 4 + 4 * i);
  return [...bytes, ...Buffer.from(texts, 'latin1')];
}

const rules = { ﬁ: 'fi', Ａ: 'A', '\u3000': ' ', 'e\u0301': 'é', '\u200b': '', '\u{1d518}': 'U' };

void t.test('a normalisation map replaces the longest match, and leaves alone what it does not know', async (t) => {
  const map = new CharsMap(Uint8Array.from(charsMap(rules)));
  t.equal(map.normalize('ﬁnd Ａ\u3000e\u0301 e \u200b\u{1d518}\u{1f642}é'), 'find A é e U\u{1f642}é');
});

void t.test('a damaged normalisation map is refused, or does no harm', async (t) => {
  const good = charsMap(rules);
  for (const bad of [[], [1, 0, 0, 0], good.slice(0, 400), [...good.slice(0, -1), 65]]) {
    t.throws(() => new CharsMap(Uint8Array.from(bad)), /precompiled_charsmap is damaged/);
  }
  // A rule for the first byte of a character.
  t.equal(new CharsMap(Uint8Array.from(charsMap({ '\udcc3': 'X' }))).normalize('aéb'), 'aéb');
  let seed = 5;
  const normalized: string[] = [];
  for (let round = 0; round < 200; round++) {
    const bytes = Uint8Array.from(good);
    for (let flips = 0; flips < 40; flips++) {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      bytes[4 + (seed % (bytes.length - 5))] = seed >>> 24;
    }
    const map = new CharsMap(bytes);
    normalized.push(map.normalize('ﬁnd Ａ\u3000e\u0301 e \u200b\u{1d518}\u{1f642}é'));
  }
  t.ok(normalized.every((text) => text.length < 10_000));
});

function unigram(overrides: Record<string, Metadata[string]> = {}): Metadata {
  const scored: [string, number][] = [
    ['▁', -2],
    ['a', -3],
    ['b', -3],
    ['ab', -5.5],
    ['▁a', -4],
    ['▁ab', -6.5],
    ['abab', -7],
    ['f', -3],
    ['i', -3],
    ['n', -4],
  ];
  const tokens = ['<pad>', '</s>', '<unk>', ...scored.map(([piece]) => piece), '<extra>'];
  return {
    'tokenizer.ggml.model': 't5',
    'tokenizer.ggml.tokens': tokens,
    'tokenizer.ggml.scores': tokens.map((token) => scored.find(([piece]) => piece === token)?.[1] ?? 0),
    'tokenizer.ggml.token_type': tokens.map((token, id) => (id === 2 ? 2 : id < 2 ? 3 : token === '<extra>' ? 4 : 1)),
    'tokenizer.ggml.add_space_prefix': true,
    'tokenizer.ggml.remove_extra_whitespaces': true,
    'tokenizer.ggml.precompiled_charsmap': charsMap(rules),
    ...overrides,
  };
}

void t.test('Unigram finds the cut with the best sum of scores', async (t) => {
  const tokenizer = createTokenizer(unigram());
  t.same(pieces(tokenizer, 'abab'), ['▁', 'abab']);
  t.same(pieces(tokenizer, 'ab'), ['▁ab']);
  t.same(pieces(tokenizer, '  a   ab '), ['▁a', '▁ab'], 'runs of spaces are one, those at the ends none');
  t.same(pieces(tokenizer, 'ﬁn'), ['▁', 'f', 'i', 'n'], 'normalised first');
  t.same(pieces(tokenizer, '日本a'), ['▁', '<unk>', 'a'], 'neighbouring unknown characters are one token');
  t.same(pieces(tokenizer, 'a<extra>b'), ['▁a', '<extra>', '▁', 'b']);
  t.same(pieces(tokenizer, '   '), []);
  const kept = createTokenizer(unigram({ 'tokenizer.ggml.remove_extra_whitespaces': false }));
  t.same(pieces(kept, ' a  b '), ['▁', '▁a', '▁', '▁', 'b', '▁']);
  t.same([tokenizer.addsBos, tokenizer.addsEos], [false, true]);
});

void t.test('Unigram gives what the package gives, on text that needs no normalising', async (t) => {
  const metadata = unigram();
  const tokens = metadata['tokenizer.ggml.tokens'] as string[];
  const scores = metadata['tokenizer.ggml.scores'] as number[];
  const vocab = tokens.map((token, id): [string, number] => [token, token.startsWith('<') ? -100 : scores[id]]);
  const reference = new PackageTokenizer(
    {
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: false },
      post_processor: null,
      decoder: null,
      model: { type: 'Unigram', vocab, unk_id: 2 },
    },
    { eos_token: '</s>' },
  );
  const tokenizer = createTokenizer(metadata);
  const different = [...texts(150, 'aabbfi n')]
    .map((text) => text.trim().replaceAll(/ +/g, ' '))
    .filter(
      (text) =>
        text !== '' &&
        tokenizer.encode(text).join() !== reference.encode(text, { add_special_tokens: false }).ids.join(),
    );
  t.same(different, []);
});

void t.test('the index of pieces finds every piece at a place, the shortest first', async (t) => {
  const known = ['a', 'ab', 'abc', 'b', 'ba', '\u{1f642}', '\u{1f642}a', 'aaaa'];
  const index = new PieceIndex(new Map(known.map((piece, id) => [piece, id])));
  const wrong: string[] = [];
  for (const text of texts(100, 'abc\u{1f642}')) {
    for (let at = 0; at < text.length; at++) {
      const found: string[] = [];
      index.matches(text, at, (end, id) => found.push(text.slice(at, end), known[id]));
      const expected = known.filter((piece) => text.startsWith(piece, at)).sort((a, b) => a.length - b.length);
      if (found.join() !== expected.flatMap((piece) => [piece, piece]).join()) wrong.push(text);
    }
  }
  t.same(wrong, []);
});

const words = [
  '[PAD]',
  '[UNK]',
  '[CLS]',
  '[SEP]',
  '▁hello',
  '▁un',
  'aff',
  'able',
  '▁,',
  '▁a',
  '▁b',
  '▁\u{20001}',
  '▁σας',
  '▁σασ',
  '▁café',
  '▁cafe',
  's',
];

function wordPiece(overrides: Record<string, Metadata[string]> = {}): Metadata {
  return {
    'tokenizer.ggml.model': 'bert',
    'tokenizer.ggml.tokens': words,
    'tokenizer.ggml.token_type': words.map((_, id) => (id < 4 ? 3 : 1)),
    'tokenizer.ggml.unknown_token_id': 1,
    'tokenizer.ggml.cls_token_id': 2,
    'tokenizer.ggml.seperator_token_id': 3,
    ...overrides,
  };
}

void t.test('WordPiece normalises, cuts at punctuation and Chinese, and spells with the longest pieces', async (t) => {
  const tokenizer = createTokenizer(wordPiece());
  t.same(pieces(tokenizer, 'HELLO, unaffables\n'), ['▁hello', '▁,', '▁un', 'aff', 'able', 's']);
  t.same(pieces(tokenizer, 'xyz hello'), ['[UNK]', '▁hello'], 'a word that cannot be spelled is unknown as a whole');
  t.same(pieces(tokenizer, 'Café he\u0301llo'), ['▁cafe', '▁hello'], 'accents go');
  t.same(pieces(tokenizer, 'a\u{20001}b'), ['▁a', '▁\u{20001}', '▁b'], 'Chinese above U+FFFF, too');
  t.same(pieces(tokenizer, 'ΣΑΣ'), ['▁σασ'], 'lower case without regard to the end of the word');
  t.same(pieces(tokenizer, `${'a'.repeat(101)} a`), ['[UNK]', '▁a']);
  t.same(pieces(tokenizer, '[CLS]', true), ['[CLS]']);
  const cased = createTokenizer(wordPiece({ 'tokenizer.ggml.normalizer.lowercase': false }));
  t.same(pieces(cased, 'café Hello'), ['▁café', '[UNK]']);
});

void t.test('WordPiece: a text stands between [CLS] and [SEP]', async (t) => {
  const { vocabulary, addsBos, addsEos } = createTokenizer(wordPiece());
  t.same([vocabulary.bos, vocabulary.eos, addsBos, addsEos], [2, 3, true, true]);
});

void t.test('finished text is tidied only by who asks for it', async (t) => {
  const tokenizer = createTokenizer(wordPiece());
  const ids = tokenizer.encode('hello, a');
  t.equal(tokenizer.decode(ids), ' hello , a');
  t.equal(cleanSpaces(tokenizer.decode(ids)), ' hello, a');
  t.equal(cleanSpaces("it ' s a . b ! do n't we 're I 'm"), "it's a. b! do n't we're I'm");
});
