// `npm run bench -- serve`: what many users of a server feel, for any server that speaks the OpenAI API. Several servers take turns at each
// number of users, so that a noisy machine is equally unfair to all of them.

import { readArguments, UsageError, type Arguments } from '../arguments.ts';
import { chat, type ChatRequest } from '../client/chat.ts';
import { HttpClient } from '../client/http.ts';
import { formatTable } from '../table.ts';
import { runLoad, type LoadReport } from './load.ts';
import { describeFailure, measureScale, Prompts, type PromptSize } from './prompts.ts';

const values = 'base-url model api-key concurrency prompt gen requests shared-prefix temperature seed timeout'.split(
  ' ',
);

export async function benchServe(args: readonly string[]): Promise<void> {
  const options = readArguments(args, values, ['json']);
  const size = { tokens: options.amount('prompt', 128), shared: options.count('shared-prefix', 0) };
  if (size.shared >= size.tokens)
    throw new UsageError('--shared-prefix is a part of the prompt, so less than --prompt');
  const levels = options.amounts('concurrency', [1, 2, 4, 8, 16]);
  const requests = options.count('requests', 0);
  // Prompts of an earlier run may still lie in a cache, even on disk.
  const seed = options.count('seed', Math.floor(Math.random() * 1e8));
  const clients = clientsOf(options);
  const servers: Server[] = [];
  try {
    for (const { client, model } of clients) servers.push(await meet(client, model, options, { size, seed }));
    const rows: Row[] = [];
    let done = 0;
    for (const concurrency of levels) {
      const count = requests === 0 ? Math.max(8, 2 * concurrency) : requests;
      const first = done;
      for (const server of servers) {
        const report = await runLoad(server.client, {
          concurrency,
          requests: count,
          request: (index) => server.request(first + index),
        });
        rows.push({ server: server.name, model: server.model, ...report });
        if (options.flag('json')) process.stdout.write(`${JSON.stringify(rows.at(-1))}\n`);
        else process.stderr.write(`${concurrency} ${concurrency === 1 ? 'user' : 'users'} at ${server.name}\n`);
      }
      done += count;
    }
    if (!options.flag('json')) process.stdout.write(tableOf(rows, seed));
    const broken = rows.find(({ gen_tokens }) => gen_tokens === undefined);
    if (broken !== undefined) throw new Error(`${broken.server} gave no whole answer at ${broken.concurrency} users`);
  } finally {
    for (const { client } of clients) client.close();
  }
}

type Row = LoadReport & { readonly server: string; readonly model: string };

interface Server {
  readonly client: HttpClient;
  readonly name: string;
  readonly model: string;
  readonly request: (index: number) => ChatRequest;
}

/** Number of a prompt that no level gets to. */
const warmUp = 999_999;

/** One address and model, or as many models as addresses. */
function clientsOf(options: Arguments): { readonly client: HttpClient; readonly model: string }[] {
  options.required('base-url');
  options.required('model');
  const [urls, models, keys] = ['base-url', 'model', 'api-key'].map((name) => options.list(name) ?? []);
  const timeoutMs = options.amount('timeout', 300) * 1000;
  if (models.length !== 1 && models.length !== urls.length)
    throw new UsageError('--model takes one name, or as many as there are addresses');
  return urls.map((baseUrl, i) => ({
    client: new HttpClient({ baseUrl, apiKey: keys[i] ?? keys[0], timeoutMs }),
    model: models[i] ?? models[0],
  }));
}

/** Finds out how the server counts and what it takes; by then it is warm. */
async function meet(
  client: HttpClient,
  model: string,
  options: Arguments,
  { size, seed }: { readonly size: PromptSize; readonly seed: number },
): Promise<Server> {
  const gen = options.amount('gen', 64);
  const common = { model, temperature: options.number('temperature', 0), seed: 1 };
  const prompts = new Prompts(size, await measureScale(client, common), seed);
  const request = (index: number): ChatRequest => ({
    ...common,
    messages: [{ role: 'user', content: prompts.text(index) }],
    max_tokens: gen,
    stream: true,
    stream_options: { include_usage: true },
  });
  // An extension that local servers share: an answer is as long as was asked for.
  const endless = (index: number): ChatRequest => ({ ...request(index), ignore_eos: true });
  const isTaken = (await chat(client, endless(warmUp))).failure === undefined;
  const answer = isTaken ? undefined : await chat(client, request(warmUp));
  if (answer?.failure !== undefined) throw new Error(describeFailure(client, answer));
  return { client, name: client.baseUrl.host, model, request: isTaken ? endless : request };
}

function tableOf(rows: readonly Row[], seed: number): string {
  const header =
    'server|users|requests|prompt|cached|gen|ttft p50|p99|token p50|p99|user tok/s|output tok/s|total tok/s|errors';
  const lines = rows.map((row) => [
    row.server,
    row.concurrency,
    row.requests,
    row.prompt_tokens,
    row.cached_tokens,
    row.gen_tokens,
    row.ttft_ms?.p50,
    row.ttft_ms?.p99,
    row.inter_token_ms?.p50,
    row.inter_token_ms?.p99,
    row.user_tok_s,
    row.output_tok_s,
    row.total_tok_s,
    Object.entries(row.errors)
      .map(([what, count]) => `${count} x ${what}`)
      .join(', '),
  ]);
  return `${formatTable(header.split('|'), lines)}Milliseconds; medians and 99th percentiles. Prompts of --seed ${seed}.\n`;
}
