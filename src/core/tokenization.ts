// A text or a conversation to be cut into tokens, without anything being generated from it.

import type { ChatPrompt, TextPrompt } from './generation.ts';

export interface TokenizationRequest {
  readonly prompt: ChatPrompt | TextPrompt;
  /** Whether the token that begins a text is put in front, where the vocabulary asks for it and it is not there. */
  readonly addsBos: boolean;
  /** Whether special tokens that are written out become those tokens. */
  readonly special: boolean;
}
