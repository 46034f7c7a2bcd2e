// Recorded cases of real vocabularies and templates (fixtures): ids and texts of reference implementations.

import { readFileSync } from 'node:fs';
import t from 'tap';
import type { Metadata } from '../core/metadata.ts';
import { fixture } from '../testing/fixtures.ts';
import { openCheckpoint } from '../weights/gguf.ts';
import { cleanSpaces } from './clean-spaces.ts';
import { createTokenizer } from './gguf.ts';
import type { FileTokenizer } from './gguf.ts';
import { promptIds } from './prompt.ts';
import { ChatTemplate, readChatTemplate } from './template.ts';

interface Case {
  readonly text: string;
  readonly ids: readonly number[];
  /** Where the recording engine was wrong: what the model's own tokenizer gives. */
  readonly hf_ids?: readonly number[];
  readonly ids_special?: readonly number[];
  readonly detok?: string;
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'));
}

/** One line per case that differs, so that a failure shows what is wrong and nothing else. */
function differences(tokenizer: FileTokenizer, cases: readonly Case[]): string[] {
  const wrong: string[] = [];
  const check = (what: string, text: string, got: string, expected: string): void => {
    if (got !== expected) wrong.push(`${what} ${JSON.stringify(text)}: ${got}, not ${expected}`);
  };
  for (const { text, ids, hf_ids: right = ids, ids_special: special = right, detok } of cases) {
    check('encode', text, tokenizer.encode(text).join(), right.join());
    check('encode special', text, tokenizer.encode(text, { special: true }).join(), special.join());
    const decoded = tokenizer.decode(ids);
    check('decode', text, tokenizer.cleansSpaces ? cleanSpaces(decoded) : decoded, detok ?? text);
  }
  return wrong;
}

const names = 'gpt-2 qwen2 starcoder deepseek-coder llama-spm gemma-4 nomic-bert-moe bert-bge'.split(' ');

for (const name of names) {
  void t.test(`${name}: ids and texts equal the recorded ones`, async (t) => {
    const model = fixture(t, `tokenizers/${name}.gguf`);
    const cases = fixture(t, `tokenizers/${name}.cases.json`);
    if (model === undefined || cases === undefined) return;
    const tokenizer = createTokenizer((await openCheckpoint(model)).metadata);
    t.same(differences(tokenizer, readJson(cases) as readonly Case[]), []);
    // The makers of the format recorded most of them, too: texts, and a line of ids for each.
    if (name === 'nomic-bert-moe') return;
    const inputs = fixture(t, `tokenizers/${name}.upstream.inp`);
    const outputs = fixture(t, `tokenizers/${name}.upstream.out`);
    if (inputs === undefined || outputs === undefined) return;
    const texts = readFileSync(inputs, 'utf8').split('\n__ggml_vocab_test__\n');
    const lines = readFileSync(outputs, 'utf8').split('\n').slice(0, texts.length);
    t.ok(texts.length > 40);
    t.same(
      texts.map((text) => tokenizer.encode(text).join()),
      lines.map((line) => line.trim().split(/\s+/).join()),
    );
  });
}

/** A SentencePiece model file (protocol buffers) as the metadata that a GGUF of it has. */
function sentencePieceMetadata(bytes: Buffer): Metadata {
  const tokens: string[] = [];
  const scores: number[] = [];
  const types: number[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  const fields = function* (end: number): Generator<{ field: number; start: number; end: number }> {
    while (at < end) {
      const tag = varint();
      const wire = tag & 7;
      const length = wire === 2 ? varint() : wire === 5 ? 4 : wire === 1 ? 8 : 0;
      const start = at;
      if (wire === 0) varint();
      else at += length;
      const next = at;
      yield { field: tag >> 3, start, end: next };
      at = next;
    }
  };
  for (const piece of fields(bytes.length)) {
    if (piece.field !== 1) continue;
    at = piece.start;
    let [text, score, type] = ['', 0, 1];
    for (const { field, start, end } of fields(piece.end)) {
      if (field === 1) text = bytes.toString('utf8', start, end);
      if (field === 2) score = bytes.readFloatLE(start);
      if (field === 3) type = bytes[start];
    }
    tokens.push(text);
    scores.push(score);
    types.push(type);
  }
  return {
    'tokenizer.ggml.model': 'llama',
    'tokenizer.ggml.tokens': tokens,
    'tokenizer.ggml.scores': scores,
    'tokenizer.ggml.token_type': types,
  };
}

for (const version of ['v1', 'v3']) {
  void t.test(`SentencePiece ${version}: ids equal those of sentencepiece itself`, async (t) => {
    const model = fixture(t, `tokenizers/mistral-spm/tokenizer.model.${version}`);
    const cases = fixture(t, `tokenizers/mistral-spm/${version}.cases.json`);
    if (model === undefined || cases === undefined) return;
    const tokenizer = createTokenizer(sentencePieceMetadata(readFileSync(model)));
    const wrong = (readJson(cases) as readonly Case[]).filter(
      ({ text, ids }) => tokenizer.encode(text).join() !== ids.join(),
    );
    t.same(
      wrong.map(({ text }) => text),
      [],
    );
  });
}

void t.test('WordPiece: ids equal those of a tokenizer.json', async (t) => {
  const model = fixture(t, 'tokenizers/minilm-hf/tokenizer.json');
  const cases = fixture(t, 'tokenizers/minilm-hf/cases.json');
  if (model === undefined || cases === undefined) return;
  const vocab = (readJson(model) as { model: { vocab: Record<string, number> } }).model.vocab;
  const tokens = Object.keys(vocab).sort((a, b) => vocab[a] - vocab[b]);
  const isControl = (token: string): boolean => /^\[(?:PAD|UNK|CLS|SEP|MASK)\]$/.test(token);
  const tokenizer = createTokenizer({
    'tokenizer.ggml.model': 'bert',
    'tokenizer.ggml.tokens': tokens.map((token) =>
      isControl(token) ? token : token.startsWith('##') ? token.slice(2) : `▁${token}`,
    ),
    'tokenizer.ggml.token_type': tokens.map((token) => (isControl(token) ? 3 : 1)),
  });
  const { bos, eos } = tokenizer.vocabulary;
  const wrong = (readJson(cases) as readonly Case[]).filter(
    ({ text, ids }) => [bos, ...tokenizer.encode(text), eos].join() !== ids.join(),
  );
  t.same(
    wrong.map(({ text }) => text),
    [],
  );
});

void t.test('the bundled demo model: prompts become the recorded ids', async (t) => {
  const model = fixture(t, 'models/demo/demo-3m-Q8_0.gguf');
  const golden = fixture(t, 'models/demo/golden.json');
  if (model === undefined || golden === undefined) return;
  const { metadata } = await openCheckpoint(model);
  const tokenizer = createTokenizer(metadata);
  const { template } = readChatTemplate(metadata);
  interface Golden {
    readonly system: string;
    readonly user: string;
    readonly prompt_ids: readonly number[];
    readonly greedy_ids: readonly number[];
    readonly greedy_text: string;
  }
  const cases = (readJson(golden) as { readonly Q8_0: readonly Golden[] }).Q8_0;
  const message = (role: string, text: string): { role: string; content: { type: 'text'; text: string }[] } => ({
    role,
    content: [{ type: 'text', text }],
  });
  for (const { system, user, prompt_ids: ids, greedy_ids: answer, greedy_text: text } of cases) {
    const messages = [...(system === '' ? [] : [message('system', system)]), message('user', user)];
    const prompt = template.render({ messages, tools: [], addGenerationPrompt: true, bos: '', eos: '', variables: {} });
    t.same([...promptIds(tokenizer, prompt)], ids, user);
    t.equal(tokenizer.decode(answer), text);
  }
});

const templateNames = `
  Apertus-8B-Instruct
  Bielik-11B-v3.0-Instruct
  Cohere2MoE
  CohereForAI-c4ai-command-r7b-12-2024-tool_use
  GLM-4.6
  GigaChat3-10B-A1.8B
  HuggingFaceTB-SmolLM3-3B
  Kimi-K2-Instruct
  LFM2-8B-A1B
  MiMo-VL
  MiniMax-M1
  Mistral-Small-3.2-24B-Instruct-2506
  NVIDIA-Nemotron-Nano-v2
  NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use
  Qwen-QwQ-32B
  Qwen-Qwen2.5-7B-Instruct
  Qwen-Qwen3-0.6B
  deepseek-ai-DeepSeek-R1-Distill-Qwen-32B
  deepseek-ai-DeepSeek-V3.1
  google-gemma-2-2b-it
  google-gemma-4-31B-it
  ibm-granite-granite-3.3-2B-Instruct
  llama-cpp-rwkv-world
  meetkai-functionary-medium-v3.2
  meta-llama-Llama-3.1-8B-Instruct
  meta-llama-Llama-3.2-3B-Instruct
  microsoft-Phi-3.5-mini-instruct
  mistral-common-v11
  mistral-common-v13_think
  mistral-common-v3
  mistral-common-v3_spm
  mistral-common-v7
  mistralai-Mistral-Nemo-Instruct-2407
  openai-gpt-oss-120b
  unsloth-Apriel-1.5
`
  .trim()
  .split(/\s+/);

interface Rendering {
  readonly ok?: string;
  readonly error?: string;
}

void t.test('chat templates: all 560 renderings equal those of Python', async (t) => {
  const scenarios = fixture(t, 'templates/scenarios.json');
  const list = fixture(t, 'templates/README.md');
  if (scenarios === undefined || list === undefined) return;
  const contexts = Object.entries(readJson(scenarios) as Record<string, Record<string, unknown>>);
  const now = (): Date => new Date(2026, 10, 20, 10, 30, 0);
  const wrong: string[] = [];
  let count = 0;
  for (const name of templateNames) {
    const source = fixture(t, `templates/${name}.jinja`);
    const expected = fixture(t, `templates/${name}.expected.json`);
    if (source === undefined || expected === undefined) return;
    const template = new ChatTemplate(readFileSync(source, 'utf8'), { now });
    const renderings = readJson(expected) as Record<string, Rendering>;
    for (const [scenario, context] of contexts) {
      count++;
      const got = render(template, context);
      const right = renderings[scenario];
      // Python's messages begin with the name of the exception.
      const isEqual =
        right.ok === undefined
          ? got.error !== undefined && right.error?.includes(got.error) === true
          : got.ok === right.ok;
      if (!isEqual) wrong.push(`${name} ${scenario}: ${JSON.stringify(got).slice(0, 200)}`);
    }
  }
  t.same(wrong, []);
  t.equal(count, 560);
});

function render(template: ChatTemplate, context: Readonly<Record<string, unknown>>): Rendering {
  try {
    return { ok: template.renderContext(context) };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}
