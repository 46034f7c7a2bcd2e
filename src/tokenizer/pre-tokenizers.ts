// `tokenizer.ggml.pre` -> how a text is cut into words before byte-level BPE runs inside each word. A wrong row does not fail: it
// only makes a model worse, so an unknown name is refused. The patterns are those of the models' own tokenizer files, in the
// dialect that @huggingface/tokenizers translates for JavaScript; each cuts the pieces that the one before left.

export interface PreTokenizer {
  readonly patterns: readonly string[];
  /** Unicode normalisation that the model's own tokenizer applies first. */
  readonly normalization?: 'NFC';
  /** A word that is a token as a whole is that token, whatever the merges say. */
  readonly wholeWords?: boolean;
  /** BOS when the file does not say (`add_bos_token`). */
  readonly addsBos?: boolean;
  /** Whether finished text is tidied up (spaces before punctuation) where a caller asks for it; see decode.ts. */
  readonly cleansSpaces?: boolean;
}

const contractions = "'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]";
const space = String.raw`\s*[\r\n]+|\s+(?!\S)|\s+`;

/** GPT-2, 2019. */
const gpt2 = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;
/** cl100k and its descendants; `digits` is how many digits make one word. */
const cl100k = (digits: string): string =>
  String.raw`(?:${contractions})|[^\r\n\p{L}\p{N}]?\p{L}+|${digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|${space}`;
/** o200k: words split where lower case meets upper case. `tail` is an optional contraction glued to the word. */
const o200k = (digits: string, tail: string): string => {
  const upper = String.raw`[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`;
  const lower = String.raw`[\p{Ll}\p{Lm}\p{Lo}\p{M}]`;
  const lead = String.raw`[^\r\n\p{L}\p{N}]?`;
  return String.raw`${lead}${upper}*${lower}+${tail}|${lead}${upper}+${lower}*${tail}|${digits}| ?[^\s\p{L}\p{N}]+[\r\n/]*|${space}`;
};
const deepseek3 = [
  String.raw`\p{N}{1,3}`,
  '[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+',
  String.raw`[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_${'`'}{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|${space}`,
];
/** Cased letters outside `\p{L}`'s other kinds, as the deepseek-llm file lists them. */
const deepseekLetters = String.raw`A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af\u0370-\u0373\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f\u0531-\u0556\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77\u1d79-\u1d9a\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102\u2107\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134\u2139\u213c-\u213f\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee\u2cf2\u2cf3\ua640-\ua66d\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e\uab70-\uabbf\ufb00-\ufb06\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a\u{10400}-\u{1044f}\u{104b0}-\u{104d3}\u{104d8}-\u{104fb}\u{10c80}-\u{10cb2}\u{10cc0}-\u{10cf2}\u{118a0}-\u{118df}\u{1e900}-\u{1e943}`;
const hanToHangul = '[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+';
const bloom = String.raw` ?[^(\s|.,!?…。，、।۔،)]+`;

const digit = String.raw`\p{N}`;
const threeDigits = String.raw`\p{N}{1,3}`;

const rows: readonly (readonly [names: string, row: PreTokenizer])[] = [
  [
    'default',
    { patterns: [String.raw`[\p{P}\$\+<=>\^~\|]+`, gpt2, String.raw`\p{N}+`, '[0-9][0-9][0-9]'], cleansSpaces: true },
  ],
  [
    'gpt-2 phi-2 gigachat a.x-4.0 mellum modern-bert exaone4 jais roberta-bpe',
    { patterns: [gpt2], cleansSpaces: true },
  ],
  ['jina-es jina-de jina-v1-en jina-v2-es jina-v2-de jina-v2-code', { patterns: [gpt2], cleansSpaces: true }],
  ['trillion granite-docling', { patterns: [gpt2] }],
  // Built on the GPT-NeoX tokenizer, which normalises.
  ['mpt olmo', { patterns: [gpt2], normalization: 'NFC', cleansSpaces: true }],
  ['starcoder refact codeshell exaone minerva-7b mellum2', { patterns: [digit, gpt2], cleansSpaces: true }],
  ['smollm', { patterns: [digit, gpt2] }],
  ['command-r', { patterns: [digit, gpt2], normalization: 'NFC' }],
  ['falcon', { patterns: [String.raw`[\p{P}\$\+<=>\^~\|${'`'}]+`, gpt2, '[0-9][0-9][0-9]'], cleansSpaces: true }],
  [
    'llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano',
    { patterns: [cl100k(threeDigits)], wholeWords: true, addsBos: true, cleansSpaces: true },
  ],
  ['dbrx smaug-bpe glm4 chatglm-bpe', { patterns: [cl100k(threeDigits)], cleansSpaces: true }],
  ['qwen2 deepseek-r1-qwen kormo f2llmv2', { patterns: [cl100k(digit)], normalization: 'NFC' }],
  ['megrez', { patterns: [cl100k(digit)], normalization: 'NFC', cleansSpaces: true }],
  ['stablelm2', { patterns: [cl100k(digit)], cleansSpaces: true }],
  ['hunyuan solar-open grok-2', { patterns: [cl100k(digit)] }],
  [
    'qwen35',
    {
      patterns: [
        String.raw`(?:${contractions})|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|${space}`,
      ],
      normalization: 'NFC',
    },
  ],
  [
    'bailingmoe bailingmoe2 llada-moe',
    {
      patterns: [
        String.raw`(?:${contractions})|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`,
      ],
    },
  ],
  [
    'seed-coder',
    { patterns: [String.raw`(?:${contractions})|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}\r\n]+|${space}`] },
  ],
  [
    'deepseek-llm',
    {
      patterns: [
        String.raw`[\r\n]`,
        String.raw`\s?[${deepseekLetters}]+`,
        String.raw`\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+`,
        String.raw`\s+$`,
        hanToHangul,
        String.raw`\p{N}+`,
      ],
    },
  ],
  [
    'deepseek-coder',
    { patterns: [String.raw`[\r\n]`, String.raw`\s?\p{L}+`, String.raw`\s?\p{P}+`, hanToHangul, digit] },
  ],
  ['deepseek-v3 hunyuan-dense joyai-llm', { patterns: deepseek3 }],
  ['tekken', { patterns: [o200k(digit, '')], wholeWords: true, addsBos: true }],
  ['gpt-4o llama4 kanana2 minimax-m2', { patterns: [o200k(threeDigits, `(?:${contractions})?`)] }],
  ['bloom gpt3-finnish', { patterns: [bloom], cleansSpaces: true }],
  ['poro-chat', { patterns: [bloom] }],
  ['viking', { patterns: [bloom, digit] }],
];

const byName = new Map(rows.flatMap(([names, row]) => names.split(' ').map((name) => [name, row] as const)));

export function findPreTokenizer(name: string): PreTokenizer | undefined {
  return byName.get(name);
}

export function preTokenizerNames(): readonly string[] {
  return [...byName.keys()];
}
