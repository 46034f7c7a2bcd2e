// OpenAI's text completions as a dialect. One body may hold several prompts, so reading it gives several requests.

import type { GenerationRequest } from '../../core/generation.ts';
import type { Completion, CompletionChunk, CompletionRequest } from '../../generated/types.ts';
import type { Dialect } from '../dialect.ts';
import { read } from './read.ts';
import { collect, stream } from './write.ts';

export const completions: Dialect<CompletionRequest, Completion, CompletionChunk, readonly GenerationRequest[]> = {
  read,
  collect,
  stream,
};
