// Cuts a text at the tokens that are matched before the model: added ("user") tokens always, control and unknown tokens only
// where the caller says that the text may name them. Leftmost match first, the longest of several.

import type { FileVocabulary } from './vocabulary.ts';

/** A stretch of plain text, or one token. */
export type Section = string | number;

interface Node {
  readonly next: Map<number, Node>;
  id: number | undefined;
}

export class SpecialTokens {
  readonly #plain: Node;
  readonly #all: Node;
  readonly #swallows: (id: number) => boolean;

  /** `swallows`: whether the white space after a token belongs to it. */
  constructor(vocabulary: FileVocabulary, swallows: (id: number) => boolean = () => false) {
    const pieces = (ids: Iterable<number>): Node => {
      const root: Node = { next: new Map(), id: undefined };
      for (const id of ids) add(root, vocabulary.piece(id), id);
      return root;
    };
    this.#plain = pieces(vocabulary.ofKind('user'));
    this.#all = pieces(vocabulary.ofKind('user', 'control', 'unknown'));
    this.#swallows = swallows;
  }

  split(text: string, special: boolean): Section[] {
    const root = special ? this.#all : this.#plain;
    const sections: Section[] = [];
    let start = 0;
    for (let at = 0; at < text.length;) {
      const match = root.next.has(text.charCodeAt(at)) ? longest(root, text, at) : undefined;
      if (match === undefined) {
        at++;
        continue;
      }
      if (at > start) sections.push(text.slice(start, at));
      sections.push(match.id);
      at = match.end;
      if (this.#swallows(match.id)) while (at < text.length && /[\t-\r ]/.test(text[at])) at++;
      start = at;
    }
    if (start < text.length) sections.push(text.slice(start));
    return sections;
  }
}

function add(root: Node, piece: string, id: number): void {
  if (piece === '') return;
  let node = root;
  for (let i = 0; i < piece.length; i++) {
    const code = piece.charCodeAt(i);
    let next = node.next.get(code);
    if (next === undefined) {
      next = { next: new Map(), id: undefined };
      node.next.set(code, next);
    }
    node = next;
  }
  node.id ??= id;
}

function longest(root: Node, text: string, start: number): { readonly id: number; readonly end: number } | undefined {
  let found: { readonly id: number; readonly end: number } | undefined;
  let node: Node | undefined = root;
  for (let at = start; at < text.length;) {
    node = node.next.get(text.charCodeAt(at++));
    if (node === undefined) break;
    if (node.id !== undefined) found = { id: node.id, end: at };
  }
  return found;
}
