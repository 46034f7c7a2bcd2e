// The models that requests can name. One is registered before it is loaded: a request in between hears that it is loading, not that it
// does not exist.

import { ApiError, invariant } from '../core/errors.ts';
import type { EngineClient } from '../engine/client.ts';
import type { SamplingParams } from '../core/sampling.ts';
import type { ChatTemplate } from '../tokenizer/template.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { OutputFormat } from './formats/format.ts';

export type SamplingDefaults = Partial<
  Pick<SamplingParams, 'temperature' | 'topP' | 'topK' | 'minP' | 'repetitionPenalty'>
>;

/** What this room needs of the handle of an engine process. */
export type EngineHandle = Pick<EngineClient, 'state' | 'submit'>;

/** Everything between messages and text for one loaded model. */
export interface ModelParts {
  readonly engine: EngineHandle;
  readonly tokenizer: Tokenizer;
  readonly template: Pick<ChatTemplate, 'render' | 'shape' | 'mentions'>;
  readonly format: OutputFormat;
  /** Positions of prompt and answer together. */
  readonly contextLength: number;
  readonly fingerprint: string;
  /** What the model's authors recommend for requests that do not say; nothing when left out. */
  readonly samplingDefaults?: SamplingDefaults | undefined;
  /** Most characters (UTF-16 units) of text that one token can stand for; bounds the work on prompts that are far too long. */
  readonly longestToken: number;
}

/** `engine_down`: its process ended and is being started again. `failed`: that was given up. */
export type ModelState = 'loading' | 'ready' | 'engine_down' | 'failed';

export class ServedModel {
  /** The name that answers carry. */
  readonly name: string;
  readonly aliases: readonly string[];
  /** When it was registered, seconds since 1970. */
  readonly created: number;
  #parts: ModelParts | undefined;

  constructor(name: string, aliases: readonly string[], created: number) {
    this.name = name;
    this.aliases = aliases;
    this.created = created;
  }

  loaded(parts: ModelParts): void {
    this.#parts = parts;
  }

  get state(): ModelState {
    return this.#parts === undefined ? 'loading' : states[this.#parts.engine.state];
  }

  /** Positions of prompt and answer together, once that is known. */
  get contextLength(): number | undefined {
    return this.#parts?.contextLength;
  }

  /** Throws the 503 of a model that is still loading. */
  get parts(): ModelParts {
    if (this.#parts !== undefined) return this.#parts;
    throw new ApiError('unavailable', `The model ${this.name} is still loading. Try again in a moment.`, {
      code: 'model_loading',
      retryAfterSeconds: 1,
    });
  }
}

/** Once its model was loaded, an engine that loads is one that starts again. */
const states: Readonly<Record<EngineHandle['state'], ModelState>> = {
  ready: 'ready',
  failed: 'failed',
  loading: 'engine_down',
  restarting: 'engine_down',
  stopped: 'engine_down',
};

/** What a request may write into `model`, and which model that is. */
export interface ModelName {
  readonly id: string;
  readonly model: ServedModel;
}

export class Models {
  readonly #names: ReadonlyMap<string, ServedModel>;
  readonly #list: readonly ModelName[];

  /** The first one is the default. */
  constructor(served: readonly ServedModel[]) {
    invariant(served.length > 0, 'there is a default model');
    // The first to claim a name has it.
    const names = new Map<string, ServedModel>([[defaultName, served[0]]]);
    for (const model of served) {
      for (const id of [model.name, ...model.aliases]) if (!names.has(id)) names.set(id, model);
    }
    this.#names = names;
    this.#list = [...names].map(([id, model]) => ({ id, model }));
  }

  /** No name and `default` mean the default model; other names must be written exactly as listed. */
  find(id: string = defaultName): ServedModel {
    const found = this.#names.get(id);
    if (found !== undefined) return found;
    const known = this.list().map((name) => `"${name.id}"`);
    throw new ApiError('not_found', `The model "${id}" is not loaded. Loaded here: ${known.join(', ')}.`, {
      code: 'model_not_found',
      param: 'model',
    });
  }

  get default(): ServedModel {
    return this.find();
  }

  /** Everything that `find` finds. `default` first, then each model with its aliases. */
  list(): readonly ModelName[] {
    return this.#list;
  }
}

const defaultName = 'default';
