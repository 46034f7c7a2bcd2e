// GGUF metadata -> tokenizer: which family, which defaults (GGUF specification, "Tokenizer"; defaults of the keys as the writers of
// such files assume them).

import type { Metadata } from '../core/metadata.ts';
import { Detokenizer } from './detokenizer.ts';
import type { Encoder } from './encoder.ts';
import { byteLevelEncoder } from './huggingface.ts';
import { Keys, TokenizerError, missing } from './keys.ts';
import { findPreTokenizer, preTokenizerNames } from './pre-tokenizers.ts';
import { mergeListEncoder, scoredEncoder } from './sentencepiece.ts';
import { SpecialTokens } from './special-tokens.ts';
import type { Tokenizer } from './tokenizer.ts';
import { unigramEncoder } from './unigram.ts';
import { FileVocabulary, plainRoles } from './vocabulary.ts';
import type { Roles } from './vocabulary.ts';
import { wordPieceEncoder } from './wordpiece.ts';

/** What a family knows of itself. */
interface Family {
  readonly vocabulary: FileVocabulary;
  readonly encoder: Encoder;
  readonly addsBos: boolean;
  readonly addsEos: boolean;
  readonly stripsLeadingSpace: boolean;
  readonly cleansSpaces: boolean;
  readonly warnings?: readonly string[];
}

export class FileTokenizer implements Tokenizer {
  readonly vocabulary: FileVocabulary;
  readonly addsBos: boolean;
  readonly addsEos: boolean;
  /** The first text of a decoded sequence loses one leading space, which encoding had put there. */
  readonly stripsLeadingSpace: boolean;
  /** Other engines tidy finished text of this vocabulary (`cleanSpaces`). Never done while generating. */
  readonly cleansSpaces: boolean;
  /** What the owner of the file should know; for the log when the model is loaded. */
  readonly warnings: readonly string[];
  readonly #encoder: Encoder;
  readonly #special: SpecialTokens;

  constructor(family: Family, special: SpecialTokens) {
    this.vocabulary = family.vocabulary;
    this.addsBos = family.addsBos;
    this.addsEos = family.addsEos;
    this.stripsLeadingSpace = family.stripsLeadingSpace;
    this.cleansSpaces = family.cleansSpaces;
    this.warnings = family.warnings ?? [];
    this.#encoder = family.encoder;
    this.#special = special;
  }

  encode(text: string, options: { readonly special?: boolean } = {}): Int32Array {
    const ids: number[] = [];
    let opens = true;
    // Lone surrogates cannot be spelled in UTF-8; pieces use some of them for bytes that are none.
    for (const section of this.#special.split(text.toWellFormed(), options.special ?? false)) {
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
  return new FileTokenizer(family, new SpecialTokens(family.vocabulary, swallowing(metadata, family.vocabulary)));
}

/**
 * Whether a special token swallows the white space after it. GGUF has no key for that; the one family that was trained so is known
 * by its name.
 */
function swallowing(metadata: Metadata, vocabulary: FileVocabulary): (id: number) => boolean {
  const name = metadata['general.name'];
  if (typeof name !== 'string' || !/phi-?3/i.test(name)) return () => false;
  const keeps = new Set(['<unk>', '<s>', '<|endoftext|>']);
  return (id) => !keeps.has(vocabulary.piece(id));
}

const families: Record<string, (keys: Keys) => Family> = {
  gpt2: readByteLevel,
  llama: readSentencePiece,
  t5: readUnigram,
  bert: readWordPiece,
  gemma4: readMergeList,
};

function readByteLevel(keys: Keys): Family {
  const named = keys.string('pre');
  const name = named ?? 'default';
  const pre = findPreTokenizer(name);
  if (pre === undefined) {
    throw new TokenizerError(
      `tokenizer.ggml.pre is "${name}", which is not supported: a wrong pre-tokenizer would silently make the model worse. Known are ${preTokenizerNames().join(', ')}`,
    );
  }
  const vocabulary = new FileVocabulary(keys, 'byte-level');
  return {
    vocabulary,
    encoder: byteLevelEncoder(keys, vocabulary, pre),
    ...framing(keys, vocabulary, { bos: pre.addsBos ?? false, eos: false }),
    stripsLeadingSpace: false,
    cleansSpaces: pre.cleansSpaces ?? false,
    warnings:
      named === undefined
        ? [
            'the file does not name its pre-tokenizer (tokenizer.ggml.pre): words are cut in a general way, which may make the model worse',
          ]
        : [],
  };
}

function readSentencePiece(keys: Keys): Family {
  const vocabulary = new FileVocabulary(keys, 'sentencepiece', habits({ bos: 1, eos: 2, unknown: 0 }));
  const addsSpacePrefix = keys.flag('add_space_prefix') ?? true;
  return {
    vocabulary,
    encoder: scoredEncoder(vocabulary, addsSpacePrefix),
    ...framing(keys, vocabulary, { bos: true, eos: false }),
    stripsLeadingSpace: addsSpacePrefix,
    cleansSpaces: false,
  };
}

function readMergeList(keys: Keys): Family {
  const vocabulary = new FileVocabulary(keys, 'sentencepiece');
  return {
    vocabulary,
    encoder: mergeListEncoder(keys, vocabulary),
    // Early files say no BOS, but these models do not work without one.
    addsBos: vocabulary.bos !== undefined,
    addsEos: framing(keys, vocabulary, { bos: true, eos: false }).addsEos,
    stripsLeadingSpace: false,
    cleansSpaces: true,
  };
}

function readUnigram(keys: Keys): Family {
  const vocabulary = new FileVocabulary(keys, 'sentencepiece', habits({ eos: 1, unknown: 2 }));
  const addsSpacePrefix = keys.flag('add_space_prefix') ?? false;
  return {
    vocabulary,
    encoder: unigramEncoder(keys, vocabulary, addsSpacePrefix),
    ...framing(keys, vocabulary, { bos: false, eos: true }),
    stripsLeadingSpace: addsSpacePrefix,
    cleansSpaces: false,
  };
}

/** An encoder's text stands between [CLS] and [SEP]: they are its BOS and EOS. */
function readWordPiece(keys: Keys): Family {
  const vocabulary = new FileVocabulary(keys, 'sentencepiece', {
    bos: { keys: ['cls_token_id', 'bos_token_id'], habit: 101 },
    eos: { keys: ['seperator_token_id', 'eos_token_id'], habit: 102 },
    unknown: { keys: ['unknown_token_id'], habit: 100 },
  });
  return {
    vocabulary,
    encoder: wordPieceEncoder(keys, vocabulary),
    ...framing(keys, vocabulary, { bos: true, eos: true }),
    stripsLeadingSpace: false,
    cleansSpaces: true,
  };
}

function habits(ids: { readonly bos?: number; readonly eos?: number; readonly unknown?: number }): Roles {
  return {
    bos: { ...plainRoles.bos, ...(ids.bos === undefined ? {} : { habit: ids.bos }) },
    eos: { ...plainRoles.eos, ...(ids.eos === undefined ? {} : { habit: ids.eos }) },
    unknown: { ...plainRoles.unknown, ...(ids.unknown === undefined ? {} : { habit: ids.unknown }) },
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
