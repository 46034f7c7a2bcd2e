// Generation with an engine whose tokens the test pushes by hand, and one token per byte.

import { Channel } from '../core/channel.ts';
import type { ApiError } from '../core/errors.ts';
import type { GenerationEvent, GenerationRequest } from '../core/generation.ts';
import type { Accepted, EngineEvent } from '../engine/client.ts';
import type { SubmitOptions } from '../engine/messages.ts';
import { ChatTemplate } from '../tokenizer/template.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { plain } from '../generation/formats/plain.ts';
import { createGenerate } from '../generation/generate.ts';
import { Models, ServedModel, type EngineHandle, type ModelParts } from '../generation/models.ts';

export const end = 256;

/** One token per byte; 256 ends a turn. */
export const bytes: Tokenizer = {
  vocabulary: {
    size: 257,
    piece: (id) => String.fromCharCode(id),
    bytes: (id) => Uint8Array.of(id),
    kind: (id) => (id === end ? 'control' : 'byte'),
    find: () => undefined,
    bos: undefined,
    eos: end,
    endOfGeneration: new Set([end]),
  },
  addsBos: false,
  addsEos: false,
  encode: (text) => Int32Array.from(Buffer.from(text)),
  decode: (ids) => Buffer.from([...ids]).toString(),
};

/** An engine whose tokens the test pushes by hand. */
export class FakeEngine implements EngineHandle {
  state: EngineHandle['state'] = 'ready';
  cancelled = 0;
  readonly submitted: SubmitOptions[] = [];
  refusal: ApiError | undefined;
  /** Choices that were ended one by one. */
  readonly ended: number[] = [];
  readonly events = new Channel<EngineEvent>(1000);

  async submit(_id: string, options: SubmitOptions, signal: AbortSignal): Promise<Accepted> {
    this.submitted.push(options);
    if (this.refusal !== undefined) throw this.refusal;
    await new Promise(setImmediate);
    signal.throwIfAborted();
    signal.addEventListener('abort', () => {
      this.cancelled++;
      this.events.fail(signal.reason);
    });
    return { cachedTokens: 0, events: this.events, cancel: (choice) => this.ended.push(choice) };
  }

  says(...pieces: readonly string[]): this {
    for (const piece of pieces) this.events.push({ type: 'tokens', choice: 0, ids: [...Buffer.from(piece)] });
    return this;
  }

  finishes(cause: 'stop_id' | 'length'): this {
    this.events.push({ type: 'finished', choice: 0, cause });
    this.events.close();
    return this;
  }
}

export const request: GenerationRequest = {
  id: 'r1',
  model: 'tiny',
  tenant: 'anonymous',
  prompt: {
    type: 'chat',
    messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }],
    tools: [],
    toolChoice: { mode: 'auto' },
    template: {},
  },
  sampling: { temperature: 0, topP: 1, topK: 0, minP: 0, seed: 7 },
  stop: [],
  maxTokens: undefined,
  choices: 1,
  truncate: false,
  output: { type: 'logits' },
};

export function serve(engine: FakeEngine, contextLength = 100): ServedModel {
  const model = new ServedModel('tiny', ['small'], 1);
  const render: ModelParts['template']['render'] = ({ messages }) =>
    messages
      .map(({ role, content }) => `<${role}>${content.map((part) => 'text' in part && part.text).join('')}`)
      .join('');
  model.loaded({
    engine,
    tokenizer: bytes,
    template: Object.assign(new ChatTemplate(''), { render }),
    format: plain,
    contextLength,
    fingerprint: 'fp_1',
    longestToken: 1,
  });
  return model;
}

export function start(
  engine: FakeEngine,
  changes: Partial<GenerationRequest> = {},
  signal = new AbortController().signal,
) {
  return createGenerate(new Models([serve(engine)]))({ ...request, ...changes }, signal);
}

export async function all(events: AsyncIterable<GenerationEvent>): Promise<GenerationEvent[]> {
  const seen: GenerationEvent[] = [];
  for await (const event of events) seen.push(event);
  return seen;
}

export const textOf = (events: readonly GenerationEvent[]): string =>
  events.map((event) => (event.type === 'delta' ? event.text : '')).join('');
