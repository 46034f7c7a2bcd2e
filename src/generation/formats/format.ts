// What a family of models writes around its answers (reasoning, tool calls), read into blocks. One file per family holds its parser
// and, later, its grammar, so that the two cannot drift apart.

import type { BlockKind } from '../../core/generation.ts';

/** A block event of one choice. Blocks do not overlap and count up from 0. */
export type FormatEvent =
  | { readonly type: 'block_start'; readonly block: number; readonly kind: BlockKind }
  | { readonly type: 'delta'; readonly block: number; readonly text: string }
  | { readonly type: 'block_end'; readonly block: number };

export interface OutputFormat {
  readonly name: string;
  /** State for one choice of one request. `promptEnd`: the last words of the prompt, control tokens written out. */
  parser(promptEnd: string): FormatParser;
}

/** Any cut of the same text gives the same blocks with the same texts. Open blocks are closed by `end`. */
export interface FormatParser {
  push(text: string): readonly FormatEvent[];
  end(): readonly FormatEvent[];
}
