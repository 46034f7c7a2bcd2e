// Texts with a gap, and counting: whatever of prompts needs no engine.

import t from 'tap';
import type { GenerationRequest, Prompt } from '../core/generation.ts';
import { ChatTemplate } from '../tokenizer/template.ts';
import type { FillInMiddle, Tokenizer } from '../tokenizer/tokenizer.ts';
import { plain } from './formats/plain.ts';
import type { ModelParts } from './models.ts';
import { countPrompt, promptText, writePrompt } from './prompt.ts';

/** Bytes are tokens; 250 begins a text, 251 to 253 stand around a gap. */
function parts(fillInMiddle: FillInMiddle | undefined, addsBos = false): ModelParts {
  const tokenizer: Tokenizer = {
    vocabulary: {
      size: 256,
      piece: (id) => String.fromCharCode(id),
      bytes: (id) => Uint8Array.of(id),
      kind: () => 'byte',
      find: () => undefined,
      bos: 250,
      eos: 255,
      endOfGeneration: new Set([255]),
      fillInMiddle,
    },
    addsBos,
    addsEos: false,
    encode: (text) => Int32Array.from(Buffer.from(text)),
    decode: (ids) => Buffer.from([...ids]).toString(),
  };
  const engine = { state: 'ready', submit: () => Promise.reject(new Error('unused')) } as const;
  const template = new ChatTemplate('{% for m in messages %}{{ m.content }}{% endfor %}');
  return { engine, tokenizer, template, format: plain, contextLength: 20, fingerprint: 'fp', longestToken: 1 };
}

const tokens: FillInMiddle = { prefix: 251, suffix: 252, middle: 253, ends: new Set() };

function idsOf(prompt: Prompt, model: ModelParts): number[] {
  return [...writePrompt({ prompt } as GenerationRequest, model)];
}

void t.test('a gap: prefix, suffix, and the token that asks for the middle', async (t) => {
  const text = { type: 'text', text: 'a', suffix: 'z', param: 'prompt' } as const;
  t.same(idsOf(text, parts(tokens)), [251, 97, 252, 122, 253]);
  t.same(idsOf(text, parts(tokens, true)), [250, 251, 97, 252, 122, 253], 'BOS comes first');
  t.same(
    idsOf(text, parts({ ...tokens, middle: undefined })),
    [252, 122, 251, 97],
    'a family that ends with the prefix',
  );
  t.same(
    idsOf({ type: 'tokens', ids: [1, 2], suffix: 'z', param: 'prompt' }, parts(tokens)),
    [251, 1, 2, 252, 122, 253],
  );
  t.same(idsOf({ ...text, text: '' }, parts(tokens)), [251, 252, 122, 253], 'nothing before the gap');
  t.throws(() => idsOf(text, parts(undefined)), { name: 'ApiError', param: 'suffix', code: 'unsupported_parameter' });
  t.throws(() => idsOf({ type: 'tokens', ids: [999], suffix: 'z', param: 'prompt' }, parts(tokens)), {
    name: 'ApiError',
    param: 'prompt[0]',
  });
  t.throws(() => idsOf({ ...text, suffix: 'z'.repeat(20) }, parts(tokens)), {
    name: 'ApiError',
    code: 'context_length_exceeded',
    message: /at least 21/,
  });
  t.equal(
    promptText({ type: 'tokens', ids: [97], suffix: 'z', param: 'prompt' }, Int32Array.of(1), parts(tokens)),
    'a',
  );
});

void t.test('counting: also what is too long, unless it could never fit', async (t) => {
  const count = (text: string): number => {
    const messages = [{ role: 'user', content: [{ type: 'text', text }] }] as const;
    const prompt = { type: 'chat', messages, tools: [], toolChoice: { mode: 'none' }, template: {} } as const;
    return countPrompt({ prompt } as unknown as GenerationRequest, { ...parts(undefined), longestToken: 4 });
  };
  t.equal(count('abc'), 3);
  t.equal(count('x'.repeat(50)), 50, 'beyond the context of 20');
  t.throws(() => count('x'.repeat(100)), { name: 'ApiError', code: 'context_length_exceeded' });
});
