// Stop strings over a text that arrives in pieces: the automaton of Aho and Corasick (1975), so that the work per character does
// not depend on how many stop strings there are or how often one begins in vain.

export interface StopPiece {
  /** What may be delivered: nothing in it can still become a stop string. */
  readonly text: string;
  /** The stop string that was found; the rest of the input is dropped and nothing may be pushed afterwards. */
  readonly stop?: string | undefined;
}

/**
 * Finds the stop string that is complete first; of several that end at the same place, the longest. Neither it nor its beginning
 * is delivered; a beginning that leads nowhere is. The result does not depend on how the text is cut, as long as no
 * character is cut in two.
 */
export class StopMatcher {
  readonly #root: Node;
  #state: Node;
  /** The end of the text so far that is a beginning of a stop string. */
  #held = '';

  /** No empty strings: they would stop before the first character. */
  constructor(stops: readonly string[]) {
    this.#root = automaton(stops);
    this.#state = this.#root;
  }

  push(text: string): StopPiece {
    if (this.#root.next.size === 0) return { text };
    const seen = this.#held + text;
    let position = this.#held.length;
    for (const character of text) {
      position += character.length;
      this.#state = advance(this.#state, character);
      const stop = this.#state.stop;
      if (stop !== undefined) {
        this.#held = '';
        this.#state = this.#root;
        return { text: seen.slice(0, position - stop.length), stop };
      }
    }
    const ready = seen.length - this.#state.length;
    this.#held = seen.slice(ready);
    return { text: seen.slice(0, ready) };
  }

  /** No text follows: what was held back was no stop string after all. */
  end(): string {
    const rest = this.#held;
    this.#held = '';
    this.#state = this.#root;
    return rest;
  }
}

/** One prefix of a stop string. */
interface Node {
  readonly next: Map<string, Node>;
  /** UTF-16 units of the prefix. */
  readonly length: number;
  /** The longest proper suffix of this prefix that is a prefix too; the root's is itself. */
  fail: Node;
  /** The longest stop string that ends here. */
  stop: string | undefined;
}

function automaton(stops: readonly string[]): Node {
  const root = newNode(0);
  for (const stop of stops) {
    let node = root;
    for (const character of stop) {
      let next = node.next.get(character);
      if (next === undefined) {
        next = newNode(node.length + character.length);
        node.next.set(character, next);
      }
      node = next;
    }
    if (node !== root) node.stop = stop;
  }
  // Breadth first, so that a node's shorter suffixes are complete when it is reached.
  const queue: Node[] = [root];
  for (const node of queue) {
    for (const [character, next] of node.next) {
      next.fail = node === root ? root : advance(node.fail, character);
      next.stop ??= next.fail.stop;
      queue.push(next);
    }
  }
  root.fail = root;
  return root;
}

function newNode(length: number): Node {
  const node: Omit<Node, 'fail'> & { fail?: Node } = { next: new Map(), length, stop: undefined };
  node.fail = node as Node;
  return node as Node;
}

function advance(state: Node, character: string): Node {
  let node = state;
  for (;;) {
    const next = node.next.get(character);
    if (next !== undefined) return next;
    if (node.length === 0) return node;
    node = node.fail;
  }
}
