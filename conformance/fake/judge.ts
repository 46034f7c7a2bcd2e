// Which bodies the good server takes: ranges of fields, what it cannot do, and what disagrees.

import { modelName, unknownModel } from './reply.ts';
import type { Body, Refusal } from './reply.ts';

/** Field -> whether a value (never null) is fine. */
export type Fields = Readonly<Record<string, (value: unknown) => boolean>>;

/** What this server cannot do: field -> the values that ask for nothing. */
export type Harmless = Readonly<Record<string, readonly unknown[]>>;

export const between = (low: number, high: number, integer = false) => {
  return (value: unknown): boolean =>
    typeof value === 'number' && value >= low && value <= high && (!integer || Number.isInteger(value));
};
export const isText = (value: unknown): boolean => typeof value === 'string';
export const isFlag = (value: unknown): boolean => typeof value === 'boolean';
export const isObject = (value: unknown): boolean => typeof value === 'object' && !Array.isArray(value);

/** Of chat and text completions. */
export const commonFields: Fields = {
  model: isText,
  temperature: between(0, 2),
  top_p: between(0, 1),
  n: between(1, 128, true),
  seed: between(-(2 ** 53), 2 ** 53, true),
  presence_penalty: between(-2, 2),
  frequency_penalty: between(-2, 2),
  stop: (value) => isText(value) || (Array.isArray(value) && value.length <= 64 && value.every(isText)),
  stream: isFlag,
  stream_options: isObject,
  user: isText,
  logit_bias: (value) => isObject(value) && Object.values(value as Body).every(between(-100, 100)),
};

export function judgeFields(body: Body, fields: Fields): Refusal | undefined {
  for (const [param, isFine] of Object.entries(fields)) {
    const value = body[param] ?? undefined;
    if (value !== undefined && !isFine(value)) return { status: 400, message: `${param} is wrong.`, param };
  }
  return undefined;
}

export function judgeRest(body: Body, cannot: Harmless): Refusal | undefined {
  for (const [param, harmless] of Object.entries(cannot)) {
    const value = body[param] ?? undefined;
    const isHarmless = harmless.some((entry) => JSON.stringify(entry) === JSON.stringify(value));
    if (value !== undefined && !isHarmless)
      return { status: 400, message: `${param} cannot be done here.`, param, code: 'unsupported_parameter' };
  }
  if (isObject(body['stream_options'] ?? []) && body['stream'] !== true) {
    return { status: 400, message: 'stream_options are for streams.', param: 'stream_options' };
  }
  const [older, newer] = [body['max_tokens'] ?? undefined, body['max_completion_tokens'] ?? undefined];
  if (older !== undefined && newer !== undefined && older !== newer) {
    return { status: 400, message: 'max_tokens and max_completion_tokens disagree.', param: 'max_completion_tokens' };
  }
  return judgeModel(body);
}

export function judgeModel(body: Body): Refusal | undefined {
  const model = body['model'] ?? 'default';
  return model === 'default' || model === modelName ? undefined : unknownModel;
}
