// Log probabilities as chat answers show them.

import type { TokenCandidate, TokenLogprob } from '../../core/generation.ts';
import type * as wire from '../../generated/types.ts';
import { finite } from '../logprobs.ts';

export function writeLogprobs(tokens: readonly TokenLogprob[]): wire.ChatLogprobs {
  return {
    content: tokens.map((token) => ({ ...writeCandidate(token), top_logprobs: token.top.map(writeCandidate) })),
    refusal: null,
  };
}

function writeCandidate({ text, logprob, bytes }: TokenCandidate): wire.TopLogprob {
  return { token: text, logprob: finite(logprob), bytes: [...bytes] };
}
