// Text completion body -> one GenerationRequest per prompt. The body is valid (generated validator) and asks for nothing that is refused
// (field plan); what concerns several values at once is checked here.

import { ApiError } from '../../core/errors.ts';
import type { GenerationRequest, TextPrompt, TokenPrompt } from '../../core/generation.ts';
import { seedOfPrompt } from '../../core/sampling.ts';
import type * as wire from '../../generated/types.ts';
import type { RequestFacts } from '../dialect.ts';
import { checkDelivery, conflict, readLimit, readSampling, readStop } from '../generation-options.ts';

/** As many as a request may have choices. Each takes a place in the queue of the engine. */
const maxPrompts = 128;

export function read(body: wire.CompletionRequest, facts: RequestFacts): readonly GenerationRequest[] {
  checkDelivery(body);
  const sampling = readSampling(body, facts);
  const shared = {
    model: body.model ?? undefined,
    tenant: facts.tenant,
    stop: readStop(body.stop),
    ignoreEos: body.ignore_eos ?? false,
    // The published default, small as it is: clients of this endpoint reckon with it.
    maxTokens: readLimit(body) ?? 16,
    choices: body.n ?? 1,
    bestOf: readBestOf(body),
    echo: body.echo ?? false,
    logprobs: body.logprobs ?? undefined,
    truncate: body.truncate_sequence ?? false,
    output: { type: 'logits' },
    traceId: facts.traceId,
  } as const;
  // An empty one asks for what everybody gets who sends none.
  const hasGap = (body.suffix ?? '') !== '';
  if (hasGap && body.echo === true && (body.logprobs ?? undefined) !== undefined) {
    throw conflict(
      'suffix',
      'The tokens of a text with a gap are not those of its text alone: send two of echo, logprobs and suffix.',
    );
  }
  const gap = hasGap ? { suffix: body.suffix ?? undefined } : {};
  return readPrompts(body.prompt).map((prompt, index) => ({
    ...shared,
    id: index === 0 ? facts.id : `${facts.id}-${index}`,
    prompt: { ...prompt, ...gap },
    sampling: { ...sampling, seed: seedOfPrompt(sampling.seed, index) },
  }));
}

/** `undefined` where nothing is to be chosen from. */
function readBestOf({ best_of: bestOf, n, stream }: wire.CompletionRequest): number | undefined {
  const choices = n ?? 1;
  // 0 is among the published values, without a meaning of its own.
  if ((bestOf ?? 0) === 0 || bestOf === choices) return undefined;
  if (Number(bestOf) < choices) {
    throw conflict(
      'best_of',
      `best_of is ${bestOf} and n is ${choices}; the answers are chosen from best_of, so it is at least n.`,
    );
  }
  if (stream === true) {
    throw conflict(
      'best_of',
      'best_of cannot be streamed: which continuations are the best is known at the end. Send "stream": false.',
    );
  }
  return bestOf ?? undefined;
}

type WirePrompt = wire.CompletionRequest['prompt'];
type Entry = Exclude<WirePrompt, string | null>[number];

/** What the first entry of a list is decides what the list is. */
function readPrompts(prompt: WirePrompt): readonly (TextPrompt | TokenPrompt)[] {
  if (prompt === null || typeof prompt === 'string') return [{ type: 'text', text: prompt ?? '', param: 'prompt' }];
  const kind = kindOf(prompt[0]);
  const odd = prompt.findIndex((entry) => kindOf(entry) !== kind);
  if (odd >= 0) {
    throw invalid(
      `prompt[${odd}]`,
      `prompt[${odd}] is ${words[kindOf(prompt[odd])]} and prompt[0] is ${words[kind]}; a list holds strings, token ids, or lists of token ids.`,
    );
  }
  if (kind === 'number') return [{ type: 'tokens', ids: prompt as readonly number[], param: 'prompt' }];
  if (prompt.length > maxPrompts) {
    const most = `A request may have at most ${maxPrompts} prompts, this one has ${prompt.length}. Send several requests.`;
    throw invalid('prompt', most);
  }
  return prompt.map((entry, index) => {
    const param = `prompt[${index}]`;
    if (typeof entry === 'string') return { type: 'text', text: entry, param };
    return { type: 'tokens', ids: entry as wire.TokenIds, param };
  });
}

function kindOf(entry: Entry): keyof typeof words {
  return typeof entry === 'string' || typeof entry === 'number' ? (typeof entry as 'string' | 'number') : 'list';
}

const words = { string: 'a string', number: 'a token id', list: 'a list' } as const;

function invalid(param: string, message: string): ApiError {
  return new ApiError('invalid_request', message, { code: 'invalid_value', param });
}
