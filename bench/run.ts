// `npm run bench -- COMMAND`: numbers, measured side by side where there is a peer. Never part of the tests: machines are noisy.

import { UsageError } from './arguments.ts';
import { benchBeside } from './beside/beside.ts';
import { benchCompare } from './compare/compare.ts';
import { benchEngine } from './engine.ts';
import { benchHttp } from './http.ts';
import { benchKernels } from './kernels.ts';
import { benchProfile } from './profile.ts';
import { benchParts } from './parts.ts';
import { benchPrefix } from './prefix.ts';
import { benchScrape } from './scrape/scrape.ts';
import { benchSampling } from './sampling.ts';
import { benchServe } from './serve/serve.ts';
import { benchSpeculation } from './speculation/speculation.ts';
import { benchStart } from './start/start.ts';
import { benchStream } from './stream/stream.ts';
import { benchSynth } from './synth/synth.ts';

interface Command {
  readonly usage: string;
  readonly what: string;
  readonly run: (args: readonly string[]) => Promise<void>;
}

const commands: Record<string, Command> = {
  beside: {
    usage:
      'beside --base-url URL --model NAME [--streams 4] [--prompt 4000] [--short 64] [--settle 32] [--api-key KEY] [--seed N] [--timeout 300] [--json]',
    what: 'what running streams and a short prompt feel of a long prompt that is being read, at any server',
    run: benchBeside,
  },
  compare: {
    usage:
      'compare --model PATH [--threads N] [--prompt 512] [--gen 64] [--depth 0] [--rounds 3] [--only llama.cpp,node-llama-cpp,wllama] ' +
      '[--kernels auto] [--engine-runtime auto|system|bundled|PATH] [--json]',
    what:
      'us and, where present, llama-bench (LLAMA_BENCH), node-llama-cpp (NODE_LLAMA_CPP) and wllama (WLLAMA, CHROMIUM): taking turns, with ' +
      'the same file and threads',
    run: benchCompare,
  },
  engine: {
    usage:
      'engine --model PATH [--threads N] [--prompt 512] [--gen 64] [--depth 0] [--kv-cache f32|f16|i16|q8_0] [--kernels auto] ' +
      '[--engine-runtime auto|system|bundled|PATH] [--json]',
    what: 'prefill and decode speed, load time and memory of one model on the Node that the server would take',
    run: benchEngine,
  },
  http: {
    usage: 'http [--only NAME] [--connections 50] [--seconds 2] [--rounds 3] [--events 200] [--json]',
    what: 'requests and events per second over uWebSockets.js and node:http, side by side, and beside handlers without a server',
    run: benchHttp,
  },
  kernels: {
    usage:
      'kernels [--kernels BUILD] [--types Q8_0,Q4_K] [--rows 1024] [--cols 3072] [--tokens 64] [--batches 2,3,4,8,16] [--memory MIB] ' +
      '[--seconds 0.2]',
    what: 'GB/s and GMAC/s of each matrix kernel and build on one thread, by benchmark.js',
    run: benchKernels,
  },
  profile: {
    usage:
      'profile --model PATH [--threads N] [--prompt 512] [--gen 64] [--depth 0] [--kv-cache f32|f16|i16|q8_0] [--kernels auto] ' +
      '[--engine-runtime auto|system|bundled|PATH] [--json]',
    what: 'where the time of a prefill chunk and of a decode step goes: share, GB/s and GMAC/s of each operation, waiting',
    run: benchProfile,
  },
  parts: {
    usage: 'parts [--model PATH] [--seconds 0.5]',
    what: 'what the server does with a chat request besides the model, part by part, by benchmark.js',
    run: benchParts,
  },
  prefix: {
    usage:
      'prefix --model PATH [--prompt 8000] [--rounds 3] [--prefix-cache-dir PATH] [--seed N] [--json] [-- SERVER OPTIONS]',
    what: 'first token of a long prompt at our own server: cold, repeated, and after a restart with the prefix cache on disk',
    run: benchPrefix,
  },
  scrape: {
    usage: 'scrape [--streams 8] [--rate 20] [--gen 128] [--seconds 3] [--rounds 3] [--json] [-- OPTIONS OF serve]',
    what: 'what reading /metrics so often costs our own server under load, and how soon it is answered',
    run: benchScrape,
  },
  sampling: {
    usage: 'sampling [--vocabulary 151936] [--text 2000] [--rounds 20]',
    what: 'microseconds of CPU time to choose a token, by parameters, for a typical and for a flat row of logits',
    run: benchSampling,
  },
  serve: {
    usage:
      'serve --base-url URL[,URL] --model NAME[,NAME] [--concurrency 1,2,4,8,16] [--prompt 128] [--gen 64] [--requests N] ' +
      '[--shared-prefix 0] [--api-key KEY] [--temperature 0] [--seed N] [--timeout 300] [--json]',
    what: 'time to first token, time between tokens and throughput of any server that speaks the OpenAI API, by number of users',
    run: benchServe,
  },
  speculation: {
    usage:
      'speculation --model PATH [--threads N] [--prompt 512] [--gen 256] [--users 1] [--rounds 6] [--kv-cache f32|f16|i16|q8_0] ' +
      '[--kernels auto] [--engine-runtime auto|system|bundled|PATH] [--json]',
    what: 'tokens per second with --speculation auto over those with off, on a given edit of code and on random text',
    run: benchSpeculation,
  },
  start: {
    usage: 'start [--node PATH[,PATH]] [--rounds 7] [--json] [-- OPTIONS OF serve]',
    what: 'milliseconds from starting our own server to a model that answers, on this Node and on the one in runtime/',
    run: benchStart,
  },
  stream: {
    usage: 'stream [--model PATH] [--threads N] [--streams 1,2,8] [--gen 128] [--seconds 3] [--rounds 3] [--json]',
    what: 'milliseconds from the sampling of a token in the engine process to its bytes at the socket of a client, by number of streams',
    run: benchStream,
  },
  synth: {
    usage: 'synth SHAPE RECIPE OUT',
    what: 'write a GGUF of a real shape with random weights (shapes: qwen3-0.6b, smollm2-135m, llama-3.2-1b, wide-5b; recipes: q8_0, q4_0, q4_k_m, f16)',
    run: benchSynth,
  },
};

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  const command = name === undefined ? undefined : commands[name];
  if (command === undefined || rest.includes('--help')) {
    const shown = command === undefined ? Object.values(commands) : [command];
    process.stdout.write(shown.map(({ usage, what }) => `npm run bench -- ${usage}\n    ${what}\n`).join(''));
    return command === undefined && name !== undefined && name !== '--help' ? 2 : 0;
  }
  try {
    await command.run(rest);
    return 0;
  } catch (error) {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
    return error instanceof UsageError ? 2 : 1;
  }
}

process.exitCode = await main(process.argv.slice(2));
