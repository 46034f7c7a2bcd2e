// What speculation gains and costs: the engine with it and without, taking turns on the same texts. The answer is given (a "teacher"): after
// the real sampler has run, the next token of the text is taken for what it said. So the model's arithmetic, sampling, drafts, testing and taking
// back are those of the server, and how much a text repeats itself is that of the text, whatever weights the file has.

import { readFileSync } from 'node:fs';
import { createWasmBackend } from '../../src/compute/wasm/backend.ts';
import { Engine } from '../../src/engine/engine.ts';
import type { SubmitOptions } from '../../src/engine/messages.ts';
import { planBackend } from '../../src/engine/plan.ts';
import { runModel } from '../../src/engine/runner.ts';
import { PromptLookup, type Speculation } from '../../src/engine/speculation/speculation.ts';
import { buildModel } from '../../src/model/model.ts';
import { createSampler } from '../../src/sampling/sampler.ts';
import { teacher } from '../../src/testing/fake-model.ts';
import { openCheckpoint } from '../../src/weights/gguf.ts';
import { readArguments } from '../arguments.ts';
import { seededRandom } from '../random.ts';
import { readRunOptions, runFlags, runsHere, type RunOptions } from '../sequence.ts';
import { median } from '../statistics.ts';
import { formatTable, rounded } from '../table.ts';
import { codeEdit, randomText, type Text } from './texts.ts';

/** Of one answer, from its first token to its last. */
interface Measurement {
  readonly tokens: number;
  readonly ms: number;
  /** Of all threads. */
  readonly cpuMs: number;
  readonly passes: number;
  readonly drafted: number;
  readonly accepted: number;
}

interface Row {
  readonly text: string;
  readonly users: number;
  readonly off: Summary;
  readonly on: Summary;
  /** Tokens per second with speculation over those without. */
  readonly speed_ratio: number;
  /** The same per second of CPU time, which a busy machine disturbs less. */
  readonly cpu_ratio: number;
}

interface Summary {
  readonly tok_s: number;
  readonly tok_cpu_s: number;
  readonly tokens_per_pass: number;
  readonly drafted: number;
  readonly accepted: number;
}

export async function benchSpeculation(args: readonly string[]): Promise<void> {
  const parsed = readArguments(args, [...runFlags, 'rounds', 'users'], ['json']);
  const options = { ...readRunOptions(parsed), generated: parsed.amount('gen', 256) };
  if (!(await runsHere('speculation', args, options))) return;
  const levels = parsed.amounts('users', [1]);
  const bench = await SpeculationBench.load(options, Math.max(...levels));
  const rows: Row[] = [];
  for (const users of levels) {
    for (const text of bench.texts) rows.push(await bench.compare(text, users, parsed.amount('rounds', 6)));
  }
  await bench.close();
  if (parsed.flag('json')) process.stdout.write(`${JSON.stringify({ node: process.version, rows })}\n`);
  else process.stdout.write(describe(rows));
}

function describe(rows: readonly Row[]): string {
  const header = ['text', 'users', 'off tok/s', 'on tok/s', 'ratio', 'CPU ratio', 'tokens/pass', 'drafted', 'accepted'];
  const cells = rows.map(({ text, users, off, on, speed_ratio, cpu_ratio }) => {
    return [text, users, off.tok_s, on.tok_s, speed_ratio, cpu_ratio, on.tokens_per_pass, on.drafted, on.accepted];
  });
  return formatTable(header, cells);
}

class SpeculationBench {
  readonly texts: readonly Text[];
  readonly #engine: Engine;
  readonly #close: () => Promise<void>;
  #isOn = false;
  #passes = 0;
  #answer: readonly number[] = [];
  #firstAt: { readonly ms: number; readonly cpuMs: number; readonly passes: number } | undefined;

  static async load(options: RunOptions, users: number): Promise<SpeculationBench> {
    const { path, threads, kernels, kvCache, prompt, generated } = options;
    // The request is some tokens longer than the file in it.
    const model = buildModel(await openCheckpoint(path), { contextLength: prompt + 64 + generated });
    const limits = { kvCache, maxSequences: users, maxBatchTokens: 512 };
    const plan = planBackend(model, limits);
    const executor = await createWasmBackend({ threads, kernels }).load(plan, () => undefined);
    return new SpeculationBench(options, {
      runner: runModel(executor, model.program.buffers[model.program.logits].cols),
      contextLength: model.contextLength,
      kvBlocks: plan.kvBlocks,
      maxSequences: users,
      maxBatchTokens: limits.maxBatchTokens,
      maxOutputs: plan.limits.outputs,
    });
  }

  private constructor(
    { prompt, generated }: RunOptions,
    parts: Omit<ConstructorParameters<typeof Engine>[0], 'sampler' | 'emit' | 'maxWaiting'>,
  ) {
    const { runner } = parts;
    const sampler = createSampler(runner.vocabularySize);
    const size = { promptTokens: prompt, answerTokens: generated, vocabularySize: runner.vocabularySize };
    const source = readFileSync(new URL('../../src/engine/engine.js', import.meta.url), 'utf8');
    this.texts = [codeEdit(source, size), randomText(seededRandom(1), size)];
    this.#close = () => runner.close();
    this.#engine = new Engine({
      ...parts,
      // What the real one says is not used, what it costs is.
      sampler: { ...sampler, begin: (options) => teacher(this.#answer, sampler).begin(options) },
      emit: (message) => {
        if (message.type === 'tokens') this.#firstAt ??= this.#now();
      },
      maxWaiting: 0,
      prefixCache: { salt: '' },
      speculation: this.#switched(new PromptLookup()),
    });
  }

  /** A first round fills the prefix cache and teaches what passes cost. */
  async compare(text: Text, users: number, rounds: number): Promise<Row> {
    const [off, on]: [Measurement[], Measurement[]] = [[], []];
    for (let round = 0; round <= rounds; round++) {
      // Whoever goes first goes second the next time.
      for (const isOn of round % 2 === 0 ? [false, true] : [true, false]) {
        const measured = await this.#measure(text, users, isOn);
        if (round > 0) (isOn ? on : off).push(measured);
      }
    }
    const [a, b] = [summarise(off), summarise(on)];
    const [speed_ratio, cpu_ratio] = [rounded(b.tok_s / a.tok_s), rounded(b.tok_cpu_s / a.tok_cpu_s)];
    return { text: text.name, users, off: a, on: b, speed_ratio, cpu_ratio };
  }

  async close(): Promise<void> {
    await this.#close();
  }

  async #measure({ prompt, answer }: Text, users: number, isOn: boolean): Promise<Measurement> {
    this.#isOn = isOn;
    this.#answer = answer;
    this.#firstAt = undefined;
    const before = this.#engine.stats;
    for (let user = 0; user < users; user++) this.#engine.submit(String(user), request(prompt, answer.length));
    while (!this.#engine.isIdle) {
      await this.#engine.step();
      this.#passes++;
    }
    const after = this.#engine.stats;
    const [from, to] = [this.#firstAt ?? this.#now(), this.#now()];
    return {
      tokens: users * (answer.length - 1),
      ms: to.ms - from.ms,
      cpuMs: to.cpuMs - from.cpuMs,
      passes: to.passes - from.passes,
      drafted: after.draftedTokens - before.draftedTokens,
      accepted: after.acceptedTokens - before.acceptedTokens,
    };
  }

  #now(): { readonly ms: number; readonly cpuMs: number; readonly passes: number } {
    const { user, system } = process.cpuUsage();
    return { ms: performance.now(), cpuMs: (user + system) / 1000, passes: this.#passes };
  }

  /** What it learns while it is off would be of no use to a server that has it always on. */
  #switched(speculation: Speculation): Speculation {
    return {
      propose: (sequences, room) => (this.#isOn ? speculation.propose(sequences, room) : new Map()),
      learn: (tokens, ms) => {
        if (this.#isOn) speculation.learn(tokens, ms);
      },
    };
  }
}

function request(prompt: readonly number[], maxTokens: number): SubmitOptions {
  return {
    input: { ids: Int32Array.from(prompt), spans: [] },
    sampling: { temperature: 0, topP: 1, topK: 0, minP: 0, seed: 0 },
    maxTokens,
    stopIds: [],
    output: { type: 'logits' },
    tenant: 'bench',
    priority: 0,
  };
}

function summarise(measurements: readonly Measurement[]): Summary {
  const middle = (value: (measurement: Measurement) => number): number => median(measurements.map(value)) ?? 0;
  return {
    tok_s: rounded(middle(({ tokens, ms }) => (tokens / ms) * 1000)),
    tok_cpu_s: rounded(middle(({ tokens, cpuMs }) => (tokens / cpuMs) * 1000)),
    tokens_per_pass: rounded(middle(({ tokens, passes }) => tokens / passes)),
    drafted: middle(({ drafted }) => drafted),
    accepted: middle(({ accepted }) => accepted),
  };
}
