// `npm run bench -- beside`: what running streams and a short prompt feel of a long prompt that is being read, at any server that speaks the
// OpenAI API. Streams run for a while; then a long prompt comes, and right behind it a short one.

import { setTimeout as sleep } from 'node:timers/promises';
import { readArguments, type Arguments } from '../arguments.ts';
import { chat, type ChatAnswer, type ChatRequest } from '../client/chat.ts';
import { HttpClient } from '../client/http.ts';
import { measureScale, Prompts, type TokenScale } from '../serve/prompts.ts';
import { median, percentile, spread, type Spread } from '../statistics.ts';
import { formatFacts, rounded } from '../table.ts';

/** Milliseconds. */
export interface BesideReport {
  readonly long_prompt_tokens: number;
  readonly short_prompt_tokens: number;
  /** Between two pieces of the running streams: before the long prompt came, and until its first token. */
  readonly before: Spread;
  readonly while_reading: Spread;
  /** 99th percentile while it was read, over the median before. */
  readonly p99_over_p50: number;
  readonly long_ttft_ms: number;
  readonly short_ttft_alone_ms: number;
  readonly short_ttft_beside_ms: number;
}

const flags = 'base-url model api-key streams prompt short settle seed timeout'.split(' ');

export async function benchBeside(args: readonly string[]): Promise<void> {
  const options = readArguments(args, flags, ['json']);
  const client = new HttpClient({
    baseUrl: options.required('base-url'),
    apiKey: options.text('api-key'),
    timeoutMs: options.amount('timeout', 300) * 1000,
  });
  try {
    const report = await measureBeside(client, options);
    const { before, while_reading, ...facts } = report;
    if (options.flag('json')) process.stdout.write(`${JSON.stringify(report)}\n`);
    else {
      const shown = (name: string, { p50, p99 }: Spread): Record<string, number> => {
        return { [`${name}_p50`]: p50, [`${name}_p99`]: p99 };
      };
      process.stdout.write(
        formatFacts({ ...shown('before', before), ...shown('while_reading', while_reading), ...facts }),
      );
    }
  } finally {
    client.close();
  }
}

async function measureBeside(client: HttpClient, options: Arguments): Promise<BesideReport> {
  const model = options.required('model');
  const streams = options.amount('streams', 4);
  const settle = options.amount('settle', 32);
  const seed = options.count('seed', Math.floor(Math.random() * 1e8));
  const scale = await measureScale(client, { model });
  const short = promptsOf(options.amount('short', 64), scale, seed);
  const long = promptsOf(options.amount('prompt', 4000), scale, seed + 1000);
  const ask = (content: string, rest: Partial<ChatRequest>): ChatRequest => ({
    model,
    messages: [{ role: 'user', content }],
    temperature: 0,
    stream: true,
    stream_options: { include_usage: true },
    ...rest,
  });
  const first = async (content: string): Promise<ChatAnswer> =>
    whole(await chat(client, ask(content, { max_tokens: 1 })));

  const alone: number[] = [];
  for (let i = 0; i < 3; i++) alone.push(firstPiece(await first(short.text(100 + i))));

  const running = new AbortController();
  const times: number[][] = Array.from({ length: streams }, () => []);
  const ends = times.map(async (pieces, i) => {
    const request = ask(short.text(i), { max_tokens: 100_000, ignore_eos: true });
    const onPiece = (): void => void pieces.push(performance.now());
    return await chat(client, request, { onPiece, signal: running.signal });
  });
  try {
    await until(times, settle, ends);
    const from = performance.now();
    const reading = first(long.text(0));
    const beside = await first(short.text(200));
    const read = await reading;
    const to = from + firstPiece(read);
    return {
      long_prompt_tokens: read.usage?.promptTokens ?? 0,
      short_prompt_tokens: beside.usage?.promptTokens ?? 0,
      ...compare(times, from, to),
      long_ttft_ms: rounded(firstPiece(read)),
      short_ttft_alone_ms: rounded(median(alone) ?? 0),
      short_ttft_beside_ms: rounded(firstPiece(beside)),
    };
  } finally {
    running.abort();
    await Promise.all(ends);
  }
}

/** Of the gaps that end in each window. `times`: of each stream's pieces. */
export function compare(
  times: readonly (readonly number[])[],
  from: number,
  to: number,
): Pick<BesideReport, 'before' | 'while_reading' | 'p99_over_p50'> {
  const gaps = times.flatMap((pieces) => pieces.slice(1).map((at, i) => ({ at, gap: at - pieces[i] })));
  const window = (test: (at: number) => boolean): Spread => {
    const { p50, p99 } = spread(gaps.filter(({ at }) => test(at)).map(({ gap }) => gap)) ?? { p50: 0, p99: 0 };
    return { p50: rounded(p50), p99: rounded(p99) };
  };
  const before = window((at) => at < from);
  const whileReading = window((at) => at >= from && at <= to);
  const inWindow = gaps.filter(({ at }) => at >= from && at <= to).map(({ gap }) => gap);
  return {
    before,
    while_reading: whileReading,
    p99_over_p50: rounded((percentile(inWindow, 0.99) ?? 0) / before.p50),
  };
}

function promptsOf(tokens: number, scale: TokenScale, seed: number): Prompts {
  return new Prompts({ tokens, shared: 0 }, scale, seed);
}

function whole(answer: ChatAnswer): ChatAnswer {
  if (answer.failure === undefined) return answer;
  throw new Error(`the server does not answer: ${answer.failure} ${answer.code ?? ''}`.trim());
}

function firstPiece({ pieces, endMs }: ChatAnswer): number {
  return pieces[0] ?? endMs;
}

/** Until every stream has brought so many pieces. Throws when one ends before. */
async function until(
  times: readonly (readonly number[])[],
  count: number,
  ends: readonly Promise<ChatAnswer>[],
): Promise<void> {
  let ended: ChatAnswer | undefined;
  for (const end of ends) void end.then((answer) => (ended = answer));
  while (times.some(({ length }) => length < count)) {
    if (ended !== undefined)
      throw new Error(`a stream ended before the measurement: ${ended.failure ?? 'it was done'}`);
    await sleep(5);
  }
}
