// The tokens of a file: pieces, kinds, scores, and the ids with a role. What a piece means in bytes depends on the family:
// byte-level BPE spells bytes with an alphabet of 256 characters, SentencePiece writes a space as U+2581 and bytes as <0x0A>.

import { ApiError } from '../core/errors.ts';
import { encodeUtf8 } from '../core/utf8.ts';
import { pieceBytes } from './byte-alphabet.ts';
import { findFillInMiddle } from './fill-in-middle.ts';
import { type Keys, TokenizerError, maxTokens, missing } from './keys.ts';
import type { FillInMiddle, TokenKind, Vocabulary } from './tokenizer.ts';

export type Spelling = 'byte-level' | 'sentencepiece';

/** GGUF token types, by number. Type 0 (undefined) occurs in old files and means an ordinary token. */
const kinds: readonly TokenKind[] = ['normal', 'normal', 'unknown', 'control', 'user', 'unused', 'byte'];

/** Texts that end a turn in some model family, whatever the file's eos says. */
const turnEnds: ReadonlySet<string> = new Set([
  '<|im_end|>',
  '<|eot_id|>',
  '<end_of_turn>',
  '<turn|>',
  '<|end|>',
  '<|return|>',
  '<|call|>',
  '<|endoftext|>',
  '<|end_of_text|>',
  '</s>',
  '<|eom_id|>',
  '<|EOT|>',
  '[EOS]',
  '[EOT]',
  '<eos>',
  '<end_of_utterance>',
  '<\uff5cend\u2581of\u2581sentence\uff5c>',
  '<|tool_response>',
]);

/** Where a token with a role is named, first key first, and the id that a family uses where the file names none. */
export interface Role {
  readonly keys: readonly string[];
  readonly habit?: number;
}

export type Roles = Readonly<Record<'bos' | 'eos' | 'unknown', Role>>;

export const plainRoles: Roles = {
  bos: { keys: ['bos_token_id'] },
  eos: { keys: ['eos_token_id'] },
  unknown: { keys: ['unknown_token_id'] },
};

export class FileVocabulary implements Vocabulary {
  readonly size: number;
  readonly bos: number | undefined;
  readonly eos: number | undefined;
  readonly unknown: number | undefined;
  readonly endOfGeneration: ReadonlySet<number>;
  readonly fillInMiddle: FillInMiddle | undefined;
  readonly spelling: Spelling;
  readonly scores: readonly number[] | undefined;
  /** Characters of the longest piece. Where encoding drops nothing (BPE), n characters need at least n / longestPiece tokens. */
  readonly longestPiece: number;
  readonly #pieces: readonly string[];
  readonly #kinds: readonly TokenKind[];
  readonly #ids = new Map<string, number>();
  /** Filled as tokens are used: most of a large vocabulary never is. */
  readonly #bytes: (Uint8Array | undefined)[];

  constructor(keys: Keys, spelling: Spelling, roles: Roles = plainRoles) {
    const pieces = keys.strings('tokens', maxTokens);
    if (pieces === undefined || pieces.length === 0) throw missing('tokens', 'the file has no vocabulary');
    this.size = pieces.length;
    this.spelling = spelling;
    this.#pieces = pieces;
    this.longestPiece = pieces.reduce((longest, piece) => Math.max(longest, piece.length), 1);
    this.#bytes = Array.from({ length: pieces.length });
    const types = atLeast(keys.numbers('token_type', maxTokens), 'token_type', this.size);
    this.scores = atLeast(keys.numbers('scores', maxTokens), 'scores', this.size);
    // Of equal pieces the first id is the one that encoding gives.
    for (let id = this.size - 1; id >= 0; id--) this.#ids.set(pieces[id], id);

    this.#kinds = pieces.map((_, id) => kindOf(types?.[id] ?? 1, id));

    const find = ({ keys: names, habit }: Role): number | undefined => {
      for (const name of names) {
        const id = keys.id(name, this.size);
        if (id !== undefined) return id;
      }
      const isSpecial = habit !== undefined && (this.#kinds[habit] === 'control' || this.#kinds[habit] === 'unknown');
      return isSpecial ? habit : undefined;
    };
    this.bos = find(roles.bos);
    this.eos = find(roles.eos);
    this.unknown = find(roles.unknown);
    this.endOfGeneration = this.#findEnds([
      this.eos,
      keys.id('eot_token_id', this.size),
      keys.id('eom_token_id', this.size),
    ]);
    this.fillInMiddle = findFillInMiddle({
      named: (key) => keys.id(key, this.size),
      special: (piece) => this.#special(piece),
    });
  }

  piece(id: number): string {
    this.#check(id);
    return this.#pieces[id];
  }

  kind(id: number): TokenKind {
    this.#check(id);
    return this.#kinds[id];
  }

  find(piece: string): number | undefined {
    return this.#ids.get(piece);
  }

  bytes(id: number, { once = false }: { readonly once?: boolean } = {}): Uint8Array {
    this.#check(id);
    return once ? (this.#bytes[id] ?? this.#spell(id)) : (this.#bytes[id] ??= this.#spell(id));
  }

  /** Ids of one kind, in order. */
  *ofKind(...wanted: readonly TokenKind[]): Generator<number> {
    for (let id = 0; id < this.size; id++) if (wanted.includes(this.#kinds[id])) yield id;
  }

  #spell(id: number): Uint8Array {
    const piece = this.#pieces[id];
    switch (this.#kinds[id]) {
      case 'unused':
        return new Uint8Array(0);
      case 'control':
      case 'unknown':
      case 'user':
        return encodeUtf8(piece);
      case 'byte':
        return Uint8Array.of(byteOfPiece(piece, id));
      case 'normal':
        if (this.spelling === 'byte-level') return pieceBytes(piece) ?? encodeUtf8(piece);
        return encodeUtf8(piece.replaceAll('\u2581', ' '));
      default:
        throw new TypeError(`unknown token kind ${String(this.#kinds[id] satisfies never)}`);
    }
  }

  #findEnds(named: readonly (number | undefined)[]): ReadonlySet<number> {
    const ends = new Set<number>();
    for (const id of named) if (id !== undefined) ends.add(id);
    for (const text of turnEnds) {
      const id = this.#ids.get(text);
      if (id === undefined) continue;
      // Some files call them added tokens. But </s> that is no control token is a piece of HTML.
      const isMeant = this.#kinds[id] === 'control' || (this.#kinds[id] === 'user' && text !== '</s>');
      if (isMeant) ends.add(id);
    }
    // In the harmony format <|end|> only ends a message: <|return|> and <|call|> end the turn.
    const messageEnd = this.#ids.get('<|end|>');
    if (messageEnd !== undefined && this.#ids.has('<|return|>') && this.#ids.has('<|call|>')) ends.delete(messageEnd);
    return ends;
  }

  #special(piece: string): number | undefined {
    const id = this.#ids.get(piece);
    return id !== undefined && (this.#kinds[id] === 'control' || this.#kinds[id] === 'user') ? id : undefined;
  }

  #check(id: number): void {
    if (Number.isInteger(id) && id >= 0 && id < this.size) return;
    throw new ApiError(
      'invalid_request',
      `${id} is not a token id: this vocabulary has the ids 0 to ${this.size - 1}.`,
      {
        code: 'invalid_token_id',
      },
    );
  }
}

function atLeast(values: readonly number[] | undefined, name: string, size: number): readonly number[] | undefined {
  if (values === undefined || values.length >= size) return values;
  throw new TokenizerError(`tokenizer.ggml.${name} has ${values.length} entries for ${size} tokens`);
}

function kindOf(type: number, id: number): TokenKind {
  const kind = kinds[type];
  if (kind === undefined)
    throw new TokenizerError(`tokenizer.ggml.token_type of token ${id} is ${type}; known are 0 to 6`);
  return kind;
}

/** `<0x0A>` -> 10. */
export function byteOfPiece(piece: string, id: number): number {
  const match = /^<0x([0-9A-Fa-f]{2})>$/.exec(piece);
  if (match === null) throw new TokenizerError(`token ${id} is marked as a byte but is not spelled like <0x0A>`);
  return Number.parseInt(match[1], 16);
}
