// The models that requests can name. One is registered before it is loaded: a request in between hears that it is loading, not that it
// does not exist.

import { ApiError, invariant } from '../core/errors.ts';
import type { EngineClient } from '../engine/client.ts';
import type { ChatTemplate } from '../tokenizer/template.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { OutputFormat } from './formats/format.ts';

/** What this room needs of the handle of an engine process. */
export type EngineHandle = Pick<EngineClient, 'state' | 'submit'>;

/** Everything between messages and text for one loaded model. */
export interface ModelParts {
  readonly engine: EngineHandle;
  readonly tokenizer: Tokenizer;
  readonly template: Pick<ChatTemplate, 'render'>;
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
    return this.#parts.engine.state === 'ready' ? 'ready' : 'engine_down';
  }

  /** Positions of prompt and answer together, once that is known. */
  get contextLength(): number | undefined {
    return this.#parts?.contextLength;
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
