// The tokens with which a model was trained to fill a gap (Bavarian et al., "Efficient Training of Language Models to Fill in the
// Middle"): named by the file, or found by the names that families give them.

import type { FillInMiddle } from './tokenizer.ts';

export interface FillInMiddleSource {
  /** Id that the file gives a role: `fim_pre_token_id`. */
  named(key: string): number | undefined;
  /** Id of a token of this text that is no ordinary piece of text. */
  special(piece: string): number | undefined;
}

/** `undefined`: the model has no such tokens. */
export function findFillInMiddle(source: FillInMiddleSource): FillInMiddle | undefined {
  const named = {
    // Older files write the names out.
    prefix: source.named('fim_pre_token_id') ?? source.named('prefix_token_id'),
    suffix: source.named('fim_suf_token_id') ?? source.named('suffix_token_id'),
    middle: source.named('fim_mid_token_id') ?? source.named('middle_token_id'),
  };
  const ends = new Set<number>();
  for (const [key, pieces] of endNames) {
    for (const id of [source.named(key), ...pieces.map((piece) => source.special(piece))])
      if (id !== undefined) ends.add(id);
  }
  const { prefix, suffix, middle } = named;
  if (prefix !== undefined && suffix !== undefined && middle !== undefined) return { prefix, suffix, middle, ends };
  for (const [pre, suf, mid] of families) {
    const found = { prefix: source.special(pre), suffix: source.special(suf) };
    const last = mid === undefined ? undefined : source.special(mid);
    if (found.prefix === undefined || found.suffix === undefined || (mid !== undefined && last === undefined)) continue;
    return { prefix: found.prefix, suffix: found.suffix, middle: last, ends };
  }
  return undefined;
}

/** Prefix, suffix, middle. */
const families: readonly (readonly [string, string, string?])[] = [
  // Qwen Coder, CodeGemma, Seed Coder
  ['<|fim_prefix|>', '<|fim_suffix|>', '<|fim_middle|>'],
  // StarCoder, Granite Code
  ['<fim_prefix>', '<fim_suffix>', '<fim_middle>'],
  ['<fim-prefix>', '<fim-suffix>', '<fim-middle>'],
  // DeepSeek Coder
  ['<\uff5cfim\u2581begin\uff5c>', '<\uff5cfim\u2581hole\uff5c>', '<\uff5cfim\u2581end\uff5c>'],
  // Code Llama
  ['\u2581<PRE>', '\u2581<SUF>', '\u2581<MID>'],
  ['<PRE>', '<SUF>', '<MID>'],
  // GLM
  ['<|code_prefix|>', '<|code_suffix|>', '<|code_middle|>'],
  // Codestral; the model goes on after the prefix
  ['[PREFIX]', '[SUFFIX]'],
];

/** After the middle models go on with the next file, or fill up. */
const endNames: readonly (readonly [string, readonly string[]])[] = [
  ['fim_pad_token_id', ['<|fim_pad|>', '<fim_pad>', '<fim-pad>', '<PAD>']],
  ['fim_rep_token_id', ['<|fim_repo|>', '<|repo_name|>', '<fim-repo>', '<REPO>', '<reponame>', '<repo_name>']],
  ['fim_sep_token_id', ['<|file_sep|>', '<|file_separator|>', '<file_sep>']],
  // Code Llama
  ['eot_token_id', ['\u2581<EOT>', '<EOT>']],
];
