// Log probabilities of the fake model: each token with as many alternatives as were asked for, itself the likeliest.

import type { Body } from './reply.ts';

/** What chat shows of these tokens; null when nobody asked. */
export function chatLogprobs(tokens: readonly string[], body: Body): Body | null {
  if (body['logprobs'] !== true) return null;
  const count = Number(body['top_logprobs'] ?? 0);
  const content = tokens.map((token) => {
    const top = candidates(token, count).map(([text, logprob]) => entry(text, logprob));
    return { ...entry(token, own), top_logprobs: top };
  });
  return { content, refusal: null };
}

/** What a text completion shows of these tokens, of which the first begins at `offset`. */
export function textLogprobs(tokens: readonly string[], body: Body, offset: number): Body | null {
  const asked = body['logprobs'] ?? undefined;
  if (asked === undefined) return null;
  let at = offset;
  return {
    tokens,
    token_logprobs: tokens.map(() => own),
    top_logprobs: tokens.map((token) => Object.fromEntries(candidates(token, Math.max(1, Number(asked))))),
    text_offset: tokens.map((token) => {
      const begin = at;
      at += Array.from(token).length;
      return begin;
    }),
  };
}

const own = -0.5;

function candidates(token: string, count: number): (readonly [string, number])[] {
  return Array.from({ length: count }, (_, rank) => (rank === 0 ? [token, own] : [`~${rank}`, own - rank]));
}

function entry(token: string, logprob: number): Body {
  return { token, logprob, bytes: [...Buffer.from(token)] };
}
