// Text <-> token ids: the contract, whatever the file format and algorithm.

/** `control` tokens are never shown; `byte` tokens stand for one raw byte; `user` tokens are added text, matched before the model. */
export type TokenKind = 'normal' | 'unknown' | 'control' | 'user' | 'unused' | 'byte';

export interface Vocabulary {
  readonly size: number;
  /** The piece as the file spells it (byte-level alphabets not undone). */
  piece(id: number): string;
  /**
   * The UTF-8 bytes (perhaps half a character) that the token contributes to a text. Control tokens: their literal text. `once`: not to
   * be remembered, as where all tokens are looked at.
   */
  bytes(id: number, options?: { readonly once?: boolean }): Uint8Array;
  kind(id: number): TokenKind;
  /** Id of a token with exactly this piece. */
  find(piece: string): number | undefined;
  readonly bos: number | undefined;
  readonly eos: number | undefined;
  /** Every id that ends a turn (eos, eot, eom and the well-known control tokens). */
  readonly endOfGeneration: ReadonlySet<number>;
  /** Of models that fill gaps. */
  readonly fillInMiddle?: FillInMiddle | undefined;
}

/** Tokens around the parts of a text with a gap. */
export interface FillInMiddle {
  readonly prefix: number;
  readonly suffix: number;
  /** Where the filling begins; a family that has none goes on after the prefix, which comes last there. */
  readonly middle: number | undefined;
  /** Ids that end a filling besides those that end a turn. */
  readonly ends: ReadonlySet<number>;
}

export interface Tokenizer {
  readonly vocabulary: Vocabulary;
  /** Whether the file asks for BOS / EOS around a text. */
  readonly addsBos: boolean;
  readonly addsEos: boolean;
  /**
   * Ids of a text, without BOS and EOS. With `special`, the text of control and user tokens becomes those tokens;
   * without it, control tokens in the text stay plain text.
   */
  encode(text: string, options?: { readonly special?: boolean }): Int32Array;
  /** Text of ids; invalid UTF-8 becomes U+FFFD. Control tokens are left out unless `special`. */
  decode(ids: Iterable<number>, options?: { readonly special?: boolean }): string;
}
