// What is kept for callers, not where: the contract of all stores (store.test.ts runs the same cases on each). Everything belongs to an
// owner (the holder of an API key), and no call ever shows what another owner kept.

/** A chat completion that was asked to be kept. `Answer` and `Input` are JSON values. */
export interface StoredCompletion<Answer, Input> {
  readonly id: string;
  /** Name of the model that answered. */
  readonly model: string;
  readonly metadata: StoredMetadata;
  readonly answer: Answer;
  /** The conversation that was answered, one entry for each message. */
  readonly inputs: readonly Input[];
}

export type StoredMetadata = Readonly<Record<string, string>>;

export interface CompletionQuery {
  readonly model?: string | undefined;
  /** Pairs that all must be among those of the completion. */
  readonly metadata?: StoredMetadata | undefined;
  readonly limit: number;
  /** By the time at which they were kept: `asc` is oldest first. */
  readonly order: 'asc' | 'desc';
  /** Id of the last completion of the page before; it need not fit the rest of the query. */
  readonly after?: string | undefined;
}

export interface StoredPage<Item> {
  readonly items: readonly Item[];
  /** Whether more would fit the query. */
  readonly hasMore: boolean;
}

/** What is returned is a copy. */
export interface CompletionStore<Answer, Input> {
  put(owner: string, completion: StoredCompletion<Answer, Input>): Promise<void>;
  find(owner: string, id: string): Promise<StoredCompletion<Answer, Input> | undefined>;
  /** `undefined`: there is nothing with the id in `after`. */
  list(owner: string, query: CompletionQuery): Promise<StoredPage<StoredCompletion<Answer, Input>> | undefined>;
  /** Replaces all pairs. `undefined`: there is nothing with this id. */
  setMetadata(
    owner: string,
    id: string,
    metadata: StoredMetadata,
  ): Promise<StoredCompletion<Answer, Input> | undefined>;
  /** Whether there was something to remove. */
  remove(owner: string, id: string): Promise<boolean>;
}
