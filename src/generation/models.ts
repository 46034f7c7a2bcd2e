// The models that requests can name. One is registered before it is loaded: a request in between hears that it is loading, not that it
// does not exist.

import { ApiError, invariant } from '../core/errors.ts';
import type { FinishCause, SubmitOptions } from '../engine/messages.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { OutputFormat } from './formats/format.ts';

/** What this room needs of the handle of an engine process. */
export interface EngineHandle {
  /** Whether a process with the loaded model is there. */
  readonly isUp: boolean;
  /** Resolves when the engine accepted the request; rejects with the `ApiError` that tells why not. */
  submit(id: string, options: SubmitOptions): Promise<EngineRun>;
}

export interface EngineRun {
  /** Prompt tokens that a prefix cache answered. */
  readonly cachedTokens: number;
  /** Ends after `finished`, or when cancelled; throws the `ApiError` of a run that failed. May be iterated once. */
  readonly events: AsyncIterable<RunEvent>;
  /** Any number of times, also when the run is over. */
  cancel(): void;
}

export type RunEvent =
  | { readonly type: 'tokens'; readonly ids: readonly number[] }
  | { readonly type: 'finished'; readonly cause: FinishCause };

/** Renders a conversation as the text that the model was trained on; throws the `ApiError` of a template that refuses. */
export interface PromptTemplate {
  render(variables: Readonly<Record<string, unknown>>): string;
}

/** Everything between messages and text for one loaded model. */
export interface ModelParts {
  readonly engine: EngineHandle;
  readonly tokenizer: Tokenizer;
  readonly template: PromptTemplate;
  readonly format: OutputFormat;
  /** Positions of prompt and answer together. */
  readonly contextLength: number;
  readonly fingerprint: string;
}

export type ModelState = 'loading' | 'ready' | 'engine_down' | 'failed';

export class ServedModel {
  /** The name that answers carry. */
  readonly name: string;
  readonly aliases: readonly string[];
  /** When it was registered, seconds since 1970. */
  readonly created: number;
  #parts: ModelParts | undefined;
  #failure: string | undefined;

  constructor(name: string, aliases: readonly string[], created: number) {
    this.name = name;
    this.aliases = aliases;
    this.created = created;
  }

  loaded(parts: ModelParts): void {
    this.#parts = parts;
  }

  /** It will never be ready; `reason` is for the caller. */
  failed(reason: string): void {
    this.#failure = reason;
  }

  get state(): ModelState {
    if (this.#failure !== undefined) return 'failed';
    if (this.#parts === undefined) return 'loading';
    return this.#parts.engine.isUp ? 'ready' : 'engine_down';
  }

  /** Throws the 503 of a model that cannot answer now. */
  get parts(): ModelParts {
    if (this.#failure !== undefined)
      throw new ApiError('unavailable', `The model could not be loaded: ${this.#failure}`);
    if (this.#parts === undefined) {
      throw new ApiError('unavailable', `The model ${this.name} is still loading. Try again in a moment.`, {
        code: 'model_loading',
        retryAfterSeconds: 1,
      });
    }
    return this.#parts;
  }
}

/** What a request may write into `model`, and which model that is. */
export interface ModelName {
  readonly id: string;
  readonly model: ServedModel;
}

export class Models {
  readonly #names: readonly ModelName[];

  /** The first one is the default. */
  constructor(served: readonly ServedModel[]) {
    invariant(served.length > 0, 'there is a default model');
    const names = served.flatMap((model) => [model.name, ...model.aliases].map((id) => ({ id, model })));
    this.#names = [...names, { id: defaultName, model: served[0] }];
  }

  /** No name and `default` mean the default model; other names must be written exactly as listed. */
  find(id: string = defaultName): ServedModel {
    const found = this.#names.find((name) => name.id === id);
    if (found !== undefined) return found.model;
    const known = this.#names.map((name) => `"${name.id}"`).join(', ');
    throw new ApiError('not_found', `The model "${id}" is not loaded. Loaded here: ${known}.`, {
      code: 'model_not_found',
      param: 'model',
    });
  }

  get default(): ServedModel {
    return this.find();
  }

  /** Names, then aliases of each model; `default` last. */
  list(): readonly ModelName[] {
    return this.#names;
  }
}

export const defaultName = 'default';
