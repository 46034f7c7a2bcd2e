// What is asked of a submission before it gets a place in the queue. A refusal names what would be accepted.

import type { Failure } from '../core/errors.ts';
import type { SubmitOptions } from './messages.ts';

export interface AdmissionLimits {
  readonly contextLength: number;
  readonly vocabularySize: number;
  readonly maxSequences: number;
}

/** Why this cannot be run, or `undefined`. */
export function refuse(options: SubmitOptions, limits: AdmissionLimits): Failure | undefined {
  return (
    refuseUnsupported(options) ??
    refusePrompt(options.input.ids, limits) ??
    refuseStrangers('prediction', options.prediction, limits) ??
    refuseNumbers(options, limits)
  );
}

function refuseUnsupported(options: SubmitOptions): Failure | undefined {
  const { input, constraint, adapter, output } = options;
  if (input.spans.length > 0)
    return unsupported('Images, audio and other media are not supported by this engine; send text.');
  if (input.positions !== undefined)
    return unsupported('Explicit token positions are not supported by this engine; leave them out.');
  if (constraint !== undefined)
    return unsupported('Output constrained by a grammar or schema is not supported by this engine yet; leave it out.');
  if (adapter !== undefined)
    return unsupported(`Adapters are not supported by this engine yet ("${adapter}"); name the model alone.`);
  if (output.type !== 'logits')
    return unsupported('Hidden states (embeddings) are not supported by this engine yet; only generated text is.');
  return undefined;
}

function refusePrompt(ids: Int32Array, limits: AdmissionLimits): Failure | undefined {
  if (ids.length === 0) return invalid('The prompt is empty; at least one token is needed.', 'empty_prompt');
  const { contextLength } = limits;
  if (ids.length >= contextLength) {
    return {
      ...invalid(
        `This model's context holds ${contextLength} tokens, at least one of them for the answer, but the prompt has ${ids.length}. ` +
          'Shorten the prompt, or start the server with a longer context.',
        'context_length_exceeded',
      ),
      param: 'messages',
    };
  }
  return refuseStrangers('prompt', ids, limits);
}

function refuseStrangers(
  what: 'prompt' | 'prediction',
  ids: Int32Array | undefined,
  { vocabularySize }: AdmissionLimits,
): Failure | undefined {
  const stranger = ids?.find((id) => id < 0 || id >= vocabularySize);
  if (stranger === undefined) return undefined;
  return invalid(
    `The ${what} holds the token id ${stranger}; ids of this model are 0 to ${vocabularySize - 1}.`,
    'invalid_token',
  );
}

function refuseNumbers(options: SubmitOptions, { vocabularySize, maxSequences }: AdmissionLimits): Failure | undefined {
  const { sampling, choices = 1, maxTokens, stopIds, logprobs = 0, deadlineMs, priority } = options;
  if (!Number.isInteger(choices) || choices < 1)
    return { ...invalid('The number of choices must be an integer of at least 1.', 'invalid_value'), param: 'n' };
  if (choices > maxSequences) {
    return {
      ...invalid(
        `This server writes at most ${maxSequences} answers at once, and ${choices} were asked for. Ask for fewer, send several requests, or start the ` +
          'server with a larger --max-seqs.',
        'too_many_choices',
      ),
      param: 'n',
    };
  }
  if (!isCount(maxTokens, Infinity))
    return invalid('The token limit must be an integer of at least 0.', 'invalid_value');
  if (stopIds.some((id) => !Number.isInteger(id) || id < 0 || id >= vocabularySize)) {
    return invalid(`Stop ids of this model are 0 to ${vocabularySize - 1}.`, 'invalid_token');
  }
  if (!isCount(logprobs, mostLogprobs))
    return {
      ...invalid(`Log probabilities come with 0 to ${mostLogprobs} alternatives.`, 'invalid_value'),
      param: 'logprobs',
    };
  const odd = sampling.logitBias?.find(({ id }) => !isCount(id, vocabularySize - 1));
  if (odd !== undefined) {
    const message = `logit_bias names the token ${odd.id}; ids of this model are 0 to ${vocabularySize - 1}.`;
    return { ...invalid(message, 'invalid_token_id'), param: 'logit_bias' };
  }
  if (deadlineMs !== undefined && !(deadlineMs > 0))
    return invalid('The deadline must be a positive number of milliseconds.', 'invalid_value');
  if (!Number.isFinite(priority)) return invalid('The priority must be a finite number.', 'invalid_value');
  return undefined;
}

/** More are not worth what they cost to find and to send. */
const mostLogprobs = 20;

function isCount(value: number, most: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= most;
}

function invalid(message: string, code: string): Failure {
  return { kind: 'invalid_request', message, code };
}

function unsupported(message: string): Failure {
  return invalid(message, 'unsupported_parameter');
}
