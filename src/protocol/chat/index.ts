// OpenAI's chat completions as a dialect.

import type { ChatCompletion, ChatCompletionChunk, ChatCompletionRequest } from '../../generated/types.ts';
import type { Dialect } from '../dialect.ts';
import { read } from './read.ts';
import { collect, stream } from './write.ts';

export const chat: Dialect<ChatCompletionRequest, ChatCompletion, ChatCompletionChunk> = { read, collect, stream };
