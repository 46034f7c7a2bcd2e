// The first token of a long prompt: when nobody has read it, when it comes again, and when it comes again after a restart of the server.

import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readArguments, UsageError } from './arguments.ts';
import { chat } from './client/chat.ts';
import { HttpClient } from './client/http.ts';
import { describeFailure, measureScale, Prompts } from './serve/prompts.ts';
import { startOwnServer } from './soak/own-server.ts';
import { formatTable, rounded } from './table.ts';

const model = 'default';
/** Answers are as short as can be told apart. */
const generated = 8;
const timeoutMs = 3_600_000;

interface Measured {
  readonly firstTokenMs: number;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly text: string;
}

export async function benchPrefix(args: readonly string[]): Promise<void> {
  const options = readArguments(args, ['model', 'prompt', 'rounds', 'seed', 'prefix-cache-dir'], ['json']);
  const path = options.required('model');
  const tokens = options.amount('prompt', 8000);
  const rounds = options.amount('rounds', 3);
  const seed = options.count('seed', Math.floor(Math.random() * 2 ** 30));
  if (tokens < 128) throw new UsageError('--prompt: a cache of blocks of 64 tokens needs at least 128');
  const own = options.text('prefix-cache-dir') === undefined;
  const folder = options.text('prefix-cache-dir') ?? (await mkdtemp(join(tmpdir(), 'bench-prefix-')));
  // A prompt has about the tokens that were asked for.
  const context = Math.ceil((1.1 * tokens + 256) / 64) * 64;
  const serverArgs = ['-m', path, '--ctx', String(context), '--prefix-cache-dir', folder, ...options.positionals];
  try {
    const before = await session(serverArgs, async (ask, prompts) => {
      const cold = await ask(prompts.text(0));
      const repeated: Measured[] = [];
      for (let round = 0; round < rounds; round++) repeated.push(await ask(prompts.text(0)));
      return { cold, repeated };
    });
    const files = (await readdir(folder)).length;
    const restarted: Measured[] = [];
    for (let round = 0; round < rounds; round++) {
      restarted.push(await session(serverArgs, async (ask, prompts) => await ask(prompts.text(0))));
    }
    const { cold, repeated } = before;
    const result: Result = {
      prompt_tokens: cold.promptTokens,
      files,
      cold: row(cold, [cold]),
      repeated: row(cold, repeated),
      after_restart: row(cold, restarted),
      same_answers: [...repeated, ...restarted].every(({ text }) => text === cold.text),
    };
    process.stdout.write(options.flag('json') ? `${JSON.stringify(result)}\n` : formatted(result));
  } finally {
    if (own) await rm(folder, { recursive: true, force: true });
  }

  /** Our own server from its start to its end; what it has to write it has written then. */
  async function session<T>(
    options: readonly string[],
    use: (ask: (content: string) => Promise<Measured>, prompts: Prompts) => Promise<T>,
  ): Promise<T> {
    const server = await startOwnServer(options);
    try {
      const client = new HttpClient({ baseUrl: server.url, timeoutMs });
      // Its short requests also warm up the kernels.
      const scale = await measureScale(client, { model });
      return await use((content) => measure(client, content), new Prompts({ tokens, shared: 0 }, scale, seed));
    } finally {
      await server.stop();
    }
  }
}

interface Row {
  readonly first_token_ms: number;
  readonly cached_tokens: number;
  /** Part of the time that the cold one took. */
  readonly of_cold: number;
}

interface Result {
  readonly prompt_tokens: number;
  readonly files: number;
  readonly cold: Row;
  readonly repeated: Row;
  readonly after_restart: Row;
  readonly same_answers: boolean;
}

/** The median. */
function row(cold: Measured, measured: readonly Measured[]): Row {
  const sorted = measured.toSorted((a, b) => a.firstTokenMs - b.firstTokenMs);
  const { firstTokenMs, cachedTokens } = sorted[Math.floor(sorted.length / 2)];
  return {
    first_token_ms: rounded(firstTokenMs),
    cached_tokens: cachedTokens,
    of_cold: Math.round((firstTokenMs / cold.firstTokenMs) * 10_000) / 10_000,
  };
}

function formatted({ prompt_tokens, files, same_answers, ...rows }: Result): string {
  const cells = Object.entries(rows).map(([name, { first_token_ms, cached_tokens, of_cold }]) => {
    return [name.replace('_', ' '), first_token_ms, cached_tokens, `${(100 * of_cold).toFixed(1)} %`];
  });
  const table = formatTable(['', 'first token ms', 'cached tokens', 'of cold'], cells);
  const same = same_answers ? 'all answers are the same' : 'ANSWERS DIFFER';
  return `${table}${prompt_tokens} tokens of prompt, ${files} files; ${same}\n`;
}

async function measure(client: HttpClient, content: string): Promise<Measured> {
  const messages = [{ role: 'user', content }];
  const body = { model, messages, stream: true, stream_options: { include_usage: true }, temperature: 0 };
  const answer = await chat(client, { ...body, max_tokens: generated });
  const { failure, pieces, usage, text } = answer;
  if (failure !== undefined || usage === undefined) throw new Error(describeFailure(client, answer));
  const { promptTokens, cachedTokens } = usage;
  return { firstTokenMs: pieces[0] ?? answer.endMs, promptTokens, cachedTokens, text };
}
