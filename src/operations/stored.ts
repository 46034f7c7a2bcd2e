// Chat completions that were asked to be kept: keeping them, and GET, POST and DELETE below /v1/chat/completions.

import { ApiError } from '../core/errors.ts';
import type { GenerationEvent } from '../core/generation.ts';
import type { Operations } from '../generated/operations.ts';
import type { ChatCompletion, ChatCompletionChunk, ChatCompletionRequest, StoredMessage } from '../generated/types.ts';
import type { Models } from '../generation/models.ts';
import { chat } from '../protocol/chat/index.ts';
import { writeStoredMessages } from '../protocol/chat/stored.ts';
import type { RequestFacts } from '../protocol/dialect.ts';
import type { CompletionStore, StoredCompletion } from '../storage/store.ts';

export type ChatStore = CompletionStore<ChatCompletion, StoredMessage>;

type StoredOperations = Pick<
  Operations,
  | 'listChatCompletions'
  | 'retrieveChatCompletion'
  | 'updateChatCompletion'
  | 'deleteChatCompletion'
  | 'listChatCompletionMessages'
>;

export function storedOperations(store: ChatStore, models: Models): StoredOperations {
  return {
    async listChatCompletions({ query }, { principal }) {
      const { model, metadata, after, limit = 20, order = 'asc' } = query;
      const known = models.list().find(({ id }) => id === model);
      const page = await store.list(principal.id, { model: known?.model.name ?? model, metadata, after, limit, order });
      if (page === undefined) throw unknownCursor(after);
      return listOf(page.items.map(answerOf), page.hasMore);
    },
    async retrieveChatCompletion({ path: { completion_id: id } }, { principal }) {
      return answerOf(found(await store.find(principal.id, id), id));
    },
    async updateChatCompletion({ path: { completion_id: id }, body }, { principal }) {
      return answerOf(found(await store.setMetadata(principal.id, id, body.metadata ?? {}), id));
    },
    async deleteChatCompletion({ path: { completion_id: id } }, { principal }) {
      if (!(await store.remove(principal.id, id))) throw unknownCompletion(id);
      return { object: 'chat.completion.deleted', id, deleted: true };
    },
    async listChatCompletionMessages({ path: { completion_id: id }, query }, { principal }) {
      const { after, limit = 20, order = 'asc' } = query;
      const { inputs } = found(await store.find(principal.id, id), id);
      const all = order === 'asc' ? inputs : inputs.toReversed();
      const before = after === undefined ? -1 : all.findIndex((message) => message.id === after);
      if (after !== undefined && before < 0) throw unknownCursor(after);
      const rest = all.slice(before + 1);
      return listOf(rest.slice(0, limit), rest.length > limit);
    },
  };
}

/** Whose an answer is, and what it answers. */
export interface Kept {
  readonly store: ChatStore;
  readonly owner: string;
  readonly body: ChatCompletionRequest;
  readonly facts: RequestFacts;
}

export async function keep(answer: ChatCompletion, { store, owner, body }: Kept): Promise<void> {
  const { id, model } = answer;
  const inputs = writeStoredMessages(body.messages, id);
  await store.put(owner, { id, model, metadata: body.metadata ?? {}, answer, inputs });
}

/** The chunks of an answer that is kept as soon as it is complete: before the stream ends, so that whoever saw the end finds it. */
export async function* streamAndKeep(
  events: AsyncIterable<GenerationEvent>,
  kept: Kept,
): AsyncGenerator<ChatCompletionChunk, void, void> {
  const { body, facts } = kept;
  const seen: GenerationEvent[] = [];
  yield* chat.stream(recorded(events, seen), body, facts);
  await keep(await chat.collect(replayed(seen), body, facts), kept);
}

async function* recorded(
  events: AsyncIterable<GenerationEvent>,
  seen: GenerationEvent[],
): AsyncGenerator<GenerationEvent, void, void> {
  for await (const event of events) {
    seen.push(event);
    yield event;
  }
}

async function* replayed(events: readonly GenerationEvent[]): AsyncGenerator<GenerationEvent, void, void> {
  yield* events;
}

/** As it was answered; notes may have been changed since. */
function answerOf({ answer, metadata }: StoredCompletion<ChatCompletion, StoredMessage>): ChatCompletion {
  return { ...answer, metadata };
}

interface ListOf<Item> {
  readonly object: 'list';
  readonly data: readonly Item[];
  readonly first_id: string;
  readonly last_id: string;
  readonly has_more: boolean;
}

function listOf<Item extends { readonly id: string }>(data: readonly Item[], hasMore: boolean): ListOf<Item> {
  return {
    object: 'list',
    data,
    first_id: data.at(0)?.id ?? '',
    last_id: data.at(-1)?.id ?? '',
    has_more: hasMore,
  };
}

function found<Value>(value: Value | undefined, id: string): Value {
  if (value === undefined) throw unknownCompletion(id);
  return value;
}

function unknownCompletion(id: string): ApiError {
  return new ApiError(
    'not_found',
    `There is no stored completion "${id.slice(0, 100)}". Only answers to requests with "store": true are kept, for the key that asked.`,
    { code: 'completion_not_found', param: 'completion_id' },
  );
}

function unknownCursor(after: string | undefined): ApiError {
  return new ApiError('invalid_request', `There is no entry "${after?.slice(0, 100)}" to go on after.`, {
    code: 'invalid_value',
    param: 'after',
  });
}
