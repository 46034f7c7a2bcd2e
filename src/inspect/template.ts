// `inspect template`: renders a chat template with contexts as JSON lines, exactly as Python's transformers would; made for comparing.

import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { ApiError } from '../core/errors.ts';
import { createTokenizer } from '../tokenizer/gguf.ts';
import { TokenizerError } from '../tokenizer/keys.ts';
import { ChatTemplate, readChatTemplate } from '../tokenizer/template.ts';
import { CheckpointError } from '../weights/checkpoint.ts';
import { openCheckpoint } from '../weights/gguf.ts';

export const usage = `inspect template --template FILE | --model PATH [--now DATE]
  in:  one JSON object per line: the variables of the template (messages, tools, add_generation_prompt, ...)
  out: {"ok": "..."} or {"error": "..."}
  --now: what strftime_now reads, as 2026-11-20T10:30:00; the clock of this machine otherwise`;

type Context = Readonly<Record<string, unknown>>;

/** Exit code: 0, 1 when the template cannot be used or a line is no object, 2 for arguments that are not understood. */
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
  let loaded: Loaded;
  try {
    loaded = await load(request);
  } catch (error) {
    if (!isExpected(error)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
  let code = 0;
  for await (const line of { [Symbol.asyncIterator]: () => lines }) {
    if (line.trim() === '') continue;
    const context = readContext(line);
    if (context === undefined) code = 1;
    const answer = context === undefined ? { error: 'a JSON object is expected' } : answerContext(loaded, context);
    out.write(`${JSON.stringify(answer)}\n`);
  }
  return code;
}

interface Loaded {
  readonly template: ChatTemplate;
  /** Variables that transformers always sets. */
  readonly defaults: Context;
}

async function load(request: Request): Promise<Loaded> {
  const options = request.now === undefined ? {} : { now: request.now };
  const defaults = { tools: null, documents: null, add_generation_prompt: false };
  if (request.template !== undefined) {
    return { template: new ChatTemplate(await readFile(request.template, 'utf8'), options), defaults };
  }
  const { metadata } = await openCheckpoint(request.model);
  const { template, warning } = readChatTemplate(metadata, options);
  if (warning !== undefined) process.stderr.write(`${warning}\n`);
  const { vocabulary } = createTokenizer(metadata);
  const text = (id: number | undefined): string => (id === undefined ? '' : vocabulary.piece(id));
  return { template, defaults: { ...defaults, bos_token: text(vocabulary.bos), eos_token: text(vocabulary.eos) } };
}

function readContext(line: string): Context | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Context) : undefined;
  } catch {
    return undefined;
  }
}

function answerContext(
  { template, defaults }: Loaded,
  context: Context,
): { readonly ok: string } | { readonly error: string } {
  try {
    return { ok: template.renderContext({ ...defaults, ...context }) };
  } catch (error) {
    if (error instanceof ApiError) return { error: error.message };
    throw error;
  }
}

function isExpected(error: unknown): error is Error {
  if (error instanceof CheckpointError || error instanceof TokenizerError || error instanceof ApiError) return true;
  return error instanceof Error && 'code' in error;
}

type Request = { readonly now: (() => Date) | undefined } & (
  { readonly template: string; readonly model?: undefined } | { readonly template?: undefined; readonly model: string }
);

function readArguments(args: readonly string[]): Request | string {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { template: { type: 'string' }, model: { type: 'string' }, now: { type: 'string' } },
    });
    const { template, model } = values;
    const date = values.now === undefined ? undefined : new Date(values.now);
    if (date !== undefined && Number.isNaN(date.getTime())) return `--now ${values.now} is not a date`;
    const now = date === undefined ? undefined : (): Date => date;
    if (template !== undefined && model === undefined) return { now, template };
    if (model !== undefined && template === undefined) return { now, model };
    return 'one of --template and --model is needed';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
