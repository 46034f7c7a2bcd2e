// `inspect tokenize`: the ids of texts, or the texts of ids, as JSON lines; made for comparing us with another engine.

import { parseArgs } from 'node:util';
import { ApiError } from '../core/errors.ts';
import { cleanSpaces } from '../tokenizer/clean-spaces.ts';
import { createTokenizer } from '../tokenizer/gguf.ts';
import type { FileTokenizer } from '../tokenizer/gguf.ts';
import { TokenizerError } from '../tokenizer/keys.ts';
import { CheckpointError } from '../weights/checkpoint.ts';
import { openCheckpoint } from '../weights/gguf.ts';

export const usage = `inspect tokenize --model PATH [--special] [--decode]
  in:  one JSON string per line; with --decode one JSON array of ids
  out: {"ids": [...]}, with --decode {"text": "..."}; {"error": "..."} for a line that is neither
  --special: names of special tokens in a text become those tokens; with --decode they are shown`;

/** Exit code: 0, 1 when the model cannot be used or a line could not be read, 2 for arguments that are not understood. */
export async function run(
  args: readonly string[],
  input: AsyncIterable<string>,
  out: { write(text: string): unknown },
): Promise<number> {
  // Asked for at once: a readline interface forgets the lines that come before somebody listens.
  const lines = input[Symbol.asyncIterator]();
  const request = readArguments(args);
  if (typeof request === 'string') {
    process.stderr.write(`${request}\nusage: ${usage}\n`);
    return 2;
  }
  let tokenizer: FileTokenizer;
  try {
    tokenizer = createTokenizer((await openCheckpoint(request.model)).metadata);
  } catch (error) {
    if (!(error instanceof CheckpointError || error instanceof TokenizerError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
  let code = 0;
  for await (const line of { [Symbol.asyncIterator]: () => lines }) {
    if (line.trim() === '') continue;
    const answer = answerLine(tokenizer, line, request);
    if ('error' in answer) code = 1;
    out.write(`${JSON.stringify(answer)}\n`);
  }
  return code;
}

type Answer = { readonly ids: readonly number[] } | { readonly text: string } | { readonly error: string };

function answerLine(tokenizer: FileTokenizer, line: string, request: Request): Answer {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { error: 'this line is not JSON' };
  }
  const { special } = request;
  if (!request.decode) {
    return typeof value === 'string'
      ? { ids: [...tokenizer.encode(value, { special })] }
      : { error: 'a JSON string is expected' };
  }
  if (!Array.isArray(value) || !value.every((id) => typeof id === 'number'))
    return { error: 'a JSON array of token ids is expected' };
  try {
    const text = tokenizer.decode(value, { special });
    return { text: tokenizer.cleansSpaces ? cleanSpaces(text) : text };
  } catch (error) {
    if (error instanceof ApiError) return { error: error.message };
    throw error;
  }
}

interface Request {
  readonly model: string;
  readonly special: boolean;
  readonly decode: boolean;
}

function readArguments(args: readonly string[]): Request | string {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { model: { type: 'string' }, special: { type: 'boolean' }, decode: { type: 'boolean' } },
    });
    if (values.model === undefined) return '--model is missing';
    return { model: values.model, special: values.special ?? false, decode: values.decode ?? false };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
