// A store in memory: it ends with the process, and keeps so much for each owner; beyond that the oldest go.

import type { CompletionQuery, CompletionStore, StoredCompletion, StoredMetadata, StoredPage } from './store.ts';

export interface MemoryLimits {
  /** Completions of one owner. */
  readonly maxCount: number;
  /** Characters of their JSON text. One that is larger than this alone is not kept. */
  readonly maxCharacters: number;
}

/** Owners are as many as there are API keys: what one may keep bounds the whole. */
const usualLimits: MemoryLimits = { maxCount: 1000, maxCharacters: 32 * 2 ** 20 };

interface Entry {
  readonly model: string;
  metadata: StoredMetadata;
  /** `{ answer, inputs }` as text: what it takes is known, and nobody changes it from outside. */
  readonly text: string;
}

interface Shelf {
  /** By id, oldest first. */
  readonly entries: Map<string, Entry>;
  characters: number;
}

export class MemoryCompletionStore<Answer, Input> implements CompletionStore<Answer, Input> {
  readonly #limits: MemoryLimits;
  readonly #shelves = new Map<string, Shelf>();

  constructor(limits: MemoryLimits = usualLimits) {
    this.#limits = limits;
  }

  async put(owner: string, completion: StoredCompletion<Answer, Input>): Promise<void> {
    const { id, model, metadata, answer, inputs } = completion;
    const text = JSON.stringify({ answer, inputs });
    if (text.length > this.#limits.maxCharacters) return;
    const shelf = this.#shelves.get(owner) ?? { entries: new Map<string, Entry>(), characters: 0 };
    this.#shelves.set(owner, shelf);
    take(shelf, id);
    shelf.entries.set(id, { model, metadata: { ...metadata }, text });
    shelf.characters += text.length;
    for (const oldest of shelf.entries.keys()) {
      if (shelf.entries.size <= this.#limits.maxCount && shelf.characters <= this.#limits.maxCharacters) break;
      take(shelf, oldest);
    }
  }

  async find(owner: string, id: string): Promise<StoredCompletion<Answer, Input> | undefined> {
    const entry = this.#shelves.get(owner)?.entries.get(id);
    return entry && this.#read(id, entry);
  }

  async list(owner: string, query: CompletionQuery): Promise<StoredPage<StoredCompletion<Answer, Input>> | undefined> {
    const entries = [...(this.#shelves.get(owner)?.entries ?? [])];
    if (query.order === 'desc') entries.reverse();
    const before = query.after === undefined ? -1 : entries.findIndex(([id]) => id === query.after);
    if (query.after !== undefined && before < 0) return undefined;
    const fitting = entries.slice(before + 1).filter(([, entry]) => fits(entry, query));
    const items = fitting.slice(0, query.limit).map(([id, entry]) => this.#read(id, entry));
    return { items, hasMore: fitting.length > items.length };
  }

  async setMetadata(
    owner: string,
    id: string,
    metadata: StoredMetadata,
  ): Promise<StoredCompletion<Answer, Input> | undefined> {
    const entry = this.#shelves.get(owner)?.entries.get(id);
    if (entry === undefined) return undefined;
    entry.metadata = { ...metadata };
    return this.#read(id, entry);
  }

  async remove(owner: string, id: string): Promise<boolean> {
    const shelf = this.#shelves.get(owner);
    return shelf !== undefined && take(shelf, id);
  }

  #read(id: string, { model, metadata, text }: Entry): StoredCompletion<Answer, Input> {
    const content = JSON.parse(text) as Pick<StoredCompletion<Answer, Input>, 'answer' | 'inputs'>;
    return { id, model, metadata: { ...metadata }, ...content };
  }
}

function take(shelf: Shelf, id: string): boolean {
  shelf.characters -= shelf.entries.get(id)?.text.length ?? 0;
  return shelf.entries.delete(id);
}

function fits(entry: Entry, { model, metadata = {} }: CompletionQuery): boolean {
  if (model !== undefined && entry.model !== model) return false;
  return Object.entries(metadata).every(
    ([key, value]) => Object.hasOwn(entry.metadata, key) && entry.metadata[key] === value,
  );
}
