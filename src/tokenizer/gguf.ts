// GGUF metadata -> tokenizer: which family, which defaults (GGUF specification, "Tokenizer"; defaults of the keys as the writers of
// such files assume them).

import type { Metadata } from '../core/metadata.ts';
import { Detokenizer } from './detokenizer.ts';
import type { Encoder } from './encoder.ts';
import { byteLevelEncoder } from './huggingface.ts';
import { Keys, TokenizerError, missing } from './keys.ts';
import { findPreTokenizer, preTokenizerNames } from './pre-tokenizers.ts';
import { SpecialTokens } from './special-tokens.ts';
import type { Tokenizer } from './tokenizer.ts';
import { FileVocabulary } from './vocabulary.ts';

/** What a family knows of itself. */
interface Family {
  readonly vocabulary: FileVocabulary;
  readonly encoder: Encoder;
  readonly addsBos: boolean;
  readonly addsEos: boolean;
  readonly stripsLeadingSpace: boolean;
  readonly cleansSpaces: boolean;
}

export class FileTokenizer implements Tokenizer {
  readonly vocabulary: FileVocabulary;
  readonly addsBos: boolean;
  readonly addsEos: boolean;
  /** The first text of a decoded sequence loses one leading space, which encoding had put there. */
  readonly stripsLeadingSpace: boolean;
  /** Other engines tidy finished text of this vocabulary (`cleanSpaces`). Never done while generating. */
  readonly cleansSpaces: boolean;
  readonly #encoder: Encoder;
  readonly #special: SpecialTokens;

  constructor(family: Family, special: SpecialTokens) {
    this.vocabulary = family.vocabulary;
    this.addsBos = family.addsBos;
    this.addsEos = family.addsEos;
    this.stripsLeadingSpace = family.stripsLeadingSpace;
    this.cleansSpaces = family.cleansSpaces;
    this.#encoder = family.encoder;
    this.#special = special;
  }

  encode(text: string, options: { readonly special?: boolean } = {}): Int32Array {
    const ids: number[] = [];
    let opens = true;
    for (const section of this.#special.split(text, options.special ?? false)) {
      if (typeof section === 'number') {
        ids.push(section);
        opens = true;
      } else {
        for (const id of this.#encoder(section, opens)) ids.push(id);
        opens = false;
      }
    }
    return Int32Array.from(ids);
  }

  decode(ids: Iterable<number>, options: { readonly special?: boolean } = {}): string {
    const detokenizer = new Detokenizer(this, { special: options.special ?? false });
    let text = '';
    for (const id of ids) text += detokenizer.push(id);
    return text + detokenizer.end();
  }
}

/** Throws `TokenizerError` when the metadata does not describe a tokenizer that works. */
export function createTokenizer(metadata: Metadata): FileTokenizer {
  const keys = new Keys(metadata);
  const model = keys.string('model');
  if (model === undefined) throw missing('model', 'the file does not say which kind of tokenizer it has');
  const read = Object.hasOwn(families, model) ? families[model] : undefined;
  if (read === undefined) {
    throw new TokenizerError(
      `tokenizer.ggml.model is "${model}", which is not supported; known are ${Object.keys(families).join(', ')}`,
    );
  }
  const family = read(keys);
  return new FileTokenizer(family, new SpecialTokens(family.vocabulary));
}

const families: Record<string, (keys: Keys) => Family> = {
  gpt2: readByteLevel,
};

function readByteLevel(keys: Keys): Family {
  const name = keys.string('pre') ?? 'default';
  const pre = findPreTokenizer(name);
  if (pre === undefined) {
    throw new TokenizerError(
      `tokenizer.ggml.pre is "${name}", which is not supported: a wrong pre-tokenizer would silently make the model worse. Known are ${preTokenizerNames().join(', ')}`,
    );
  }
  const vocabulary = new FileVocabulary(keys, 'byte-level', {});
  return {
    vocabulary,
    encoder: byteLevelEncoder(keys, vocabulary, pre),
    ...framing(keys, vocabulary, { bos: pre.addsBos ?? false, eos: false }),
    stripsLeadingSpace: false,
    cleansSpaces: pre.cleansSpaces ?? false,
  };
}

/** BOS and EOS around a text: what the file says, else the family's habit where the token exists. */
function framing(
  keys: Keys,
  vocabulary: FileVocabulary,
  habit: { readonly bos: boolean; readonly eos: boolean },
): { readonly addsBos: boolean; readonly addsEos: boolean } {
  const decide = (name: 'bos' | 'eos'): boolean => {
    const wanted = keys.flag(`add_${name}_token`);
    const exists = vocabulary[name] !== undefined;
    if (wanted === true && !exists) throw missing(`${name}_token_id`, `the file asks for it with add_${name}_token`);
    return (wanted ?? habit[name]) && exists;
  };
  return { addsBos: decide('bos'), addsEos: decide('eos') };
}
