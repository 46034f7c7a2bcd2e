// A closed loop of users against one server: each sends its next request when it has its answer.

import { chat, type ChatAnswer, type ChatRequest } from '../client/chat.ts';
import type { HttpClient } from '../client/http.ts';
import { mean, percentile, spread, sum, tally, type Spread } from '../statistics.ts';
import { rounded } from '../table.ts';

export interface Load {
  readonly concurrency: number;
  readonly requests: number;
  /** The request number `index`, from 0 on. */
  readonly request: (index: number) => ChatRequest;
}

/** Milliseconds and tokens per second. Fields about answers are of whole answers only, and missing where there was none. */
export interface LoadReport {
  readonly concurrency: number;
  readonly requests: number;
  readonly seconds: number;
  /** Tokens of a prompt and of an answer, on average; those of the prompt that a cache answered. */
  readonly prompt_tokens: number | undefined;
  readonly cached_tokens: number | undefined;
  readonly gen_tokens: number | undefined;
  readonly ttft_ms: Spread | undefined;
  /** Between two pieces of text of one stream, as they arrive. */
  readonly inter_token_ms: Spread | undefined;
  /** What one user sees after the first token; the median user. */
  readonly user_tok_s: number | undefined;
  /** Generated tokens of all users over the whole time, prefill included. */
  readonly output_tok_s: number;
  /** The same with the tokens of the prompts. */
  readonly total_tok_s: number;
  /** What went wrong -> how often. */
  readonly errors: Readonly<Record<string, number>>;
}

export async function runLoad(client: HttpClient, { concurrency, requests, request }: Load): Promise<LoadReport> {
  const answers: ChatAnswer[] = [];
  let next = 0;
  const user = async (): Promise<void> => {
    while (next < requests) answers.push(await chat(client, request(next++)));
  };
  const from = performance.now();
  await Promise.all(Array.from({ length: concurrency }, user));
  return report(answers, { concurrency, seconds: (performance.now() - from) / 1000 });
}

export function report(
  answers: readonly ChatAnswer[],
  { concurrency, seconds }: { readonly concurrency: number; readonly seconds: number },
): LoadReport {
  const whole = answers.filter(({ failure }) => failure === undefined);
  const prompts = whole.flatMap(({ usage }) => usage?.promptTokens ?? []);
  const cached = whole.flatMap(({ usage }) => usage?.cachedTokens ?? []);
  const generated = whole.map(generatedTokens);
  const userRates = whole.flatMap(rateAfterFirst);
  return {
    concurrency,
    requests: answers.length,
    seconds: rounded(seconds),
    prompt_tokens: rounded(mean(prompts)),
    cached_tokens: rounded(mean(cached)),
    gen_tokens: rounded(mean(generated)),
    ttft_ms: roundedSpread(whole.flatMap(({ pieces }) => pieces.slice(0, 1))),
    inter_token_ms: roundedSpread(whole.flatMap(({ pieces }) => gaps(pieces))),
    user_tok_s: rounded(percentile(userRates, 0.5)),
    output_tok_s: rounded(sum(generated) / seconds),
    total_tok_s: rounded((sum(generated) + sum(prompts)) / seconds),
    errors: tally(answers.flatMap(({ failure, code }) => describe(failure, code))),
  };
}

/** A server that does not count sends a token with each piece, as far as we can know. */
function generatedTokens({ usage, pieces }: ChatAnswer): number {
  return usage?.completionTokens ?? pieces.length;
}

function rateAfterFirst(answer: ChatAnswer): number[] {
  const { pieces } = answer;
  const ms = (pieces.at(-1) ?? 0) - (pieces[0] ?? 0);
  return ms > 0 ? [((generatedTokens(answer) - 1) / ms) * 1000] : [];
}

function gaps(pieces: readonly number[]): number[] {
  return pieces.slice(1).map((at, i) => at - pieces[i]);
}

function roundedSpread(values: readonly number[]): Spread | undefined {
  const { p50, p99 } = spread(values) ?? {};
  return p50 === undefined || p99 === undefined ? undefined : { p50: rounded(p50), p99: rounded(p99) };
}

function describe(failure: string | undefined, code: string | undefined): string[] {
  if (failure === undefined) return [];
  return [code === undefined || failure.includes(code) ? failure : `${failure} ${code}`];
}
