// Names, meanings and buckets of what is counted per model. All of them are vLLM's (vllm/v1/metrics/loggers.py); the prefix is put before them.

/** Counters without labels of their own. */
export const counters = {
  prompt_tokens_total: 'Prompt tokens processed, those that a cache answered included.',
  generation_tokens_total: 'Tokens generated.',
  prefix_cache_queries_total: 'Prompt tokens looked up in the prefix cache.',
  prefix_cache_hits_total: 'Prompt tokens that the prefix cache in memory answered.',
  external_prefix_cache_queries_total:
    'Prompt tokens that were not in memory and were looked up in the prefix cache on disk.',
  external_prefix_cache_hits_total: 'Prompt tokens that the prefix cache on disk answered.',
  num_preemptions_total: 'How often a sequence lost its cache blocks to another and was computed again.',
  spec_decode_num_drafts_total: 'How often a sequence had guesses of what follows in a pass.',
  spec_decode_num_draft_tokens_total: 'Tokens guessed.',
  spec_decode_num_accepted_tokens_total: 'Guessed tokens that came true.',
} as const;

export type CounterName = keyof typeof counters;

const tokenLatencies = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80];

const requestLatencies = [0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680];

const firstTokenLatencies = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560,
];

interface Seconds {
  readonly help: string;
  readonly buckets: readonly number[];
}

/** Histograms of times. */
export const seconds = {
  time_to_first_token_seconds: {
    help: 'From handing a request to the engine to its first token.',
    buckets: firstTokenLatencies,
  },
  inter_token_latency_seconds: { help: 'Between one token of a request and the next.', buckets: tokenLatencies },
  request_time_per_output_token_seconds: {
    help: 'Time per token of a request, without the first one.',
    buckets: tokenLatencies,
  },
  e2e_request_latency_seconds: {
    help: 'From handing a request to the engine to its end.',
    buckets: requestLatencies,
  },
  request_queue_time_seconds: { help: 'Time that a request waited for a place in a batch.', buckets: requestLatencies },
  request_prefill_time_seconds: {
    help: 'From the first pass over a prompt to its first token.',
    buckets: requestLatencies,
  },
  request_decode_time_seconds: { help: 'From the first token of a request to its last.', buckets: requestLatencies },
} satisfies Record<string, Seconds>;

export type SecondsName = keyof typeof seconds;

/** Histograms of tokens per request; buckets up to the context of the model. */
export const sizes = {
  request_prompt_tokens: 'Prompt tokens of a request.',
  request_generation_tokens: 'Tokens generated for a request.',
  request_max_num_generation_tokens: 'Tokens that a request might have had.',
} as const;

export type SizeName = keyof typeof sizes;

export const passBuckets = [1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384];

/** 1, 2, 5, 10, 20, ... up to `most`. */
export function oneTwoFive(most: number): number[] {
  const buckets: number[] = [];
  for (let power = 1; power <= most; power *= 10) {
    for (const mantissa of [1, 2, 5]) if (mantissa * power <= most) buckets.push(mantissa * power);
  }
  return buckets;
}
