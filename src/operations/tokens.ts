// POST /tokenize, /detokenize, /apply-template, .../render and .../input_tokens: what the model named would read, without asking it anything.

import type { GenerationRequest } from '../core/generation.ts';
import type { Context } from '../core/operation.ts';
import type { Operations } from '../generated/operations.ts';
import type { RenderedRequest } from '../generated/types.ts';
import type { Models } from '../generation/models.ts';
import { countPrompt, renderPrompt, writePrompt } from '../generation/prompt.ts';
import { detokenize, pieceOf, tokenize } from '../generation/tokens.ts';
import { completions } from '../protocol/completions/index.ts';
import { readConversation, readTokenize } from '../protocol/tokens.ts';
import { factsOf } from './facts.ts';
import { readChat } from './read-chat.ts';

type TokenOperations = Pick<
  Operations,
  'tokenize' | 'detokenize' | 'applyTemplate' | 'renderChatCompletion' | 'renderCompletion' | 'countChatInputTokens'
>;

export function tokenOperations(models: Models): TokenOperations {
  return {
    async tokenize({ body }, { note }) {
      const { name, parts } = models.find(body.model ?? undefined);
      const { tokenizer, contextLength } = parts;
      const ids = [...tokenize(readTokenize(body), parts)];
      note({ model: name, tokensIn: ids.length });
      return {
        tokens: body.with_pieces === true ? ids.map((id) => ({ id, piece: pieceOf(id, tokenizer) })) : ids,
        count: ids.length,
        max_model_len: contextLength,
        token_strs: body.return_token_strs === true ? ids.map((id) => tokenizer.vocabulary.piece(id)) : null,
      };
    },
    async detokenize({ body }, { note }) {
      const { name, parts } = models.find(body.model ?? undefined);
      const text = detokenize(body.tokens, 'tokens', parts);
      note({ model: name, tokensIn: body.tokens.length });
      return { content: text, prompt: text };
    },
    async applyTemplate({ body }, { note }) {
      const { name, parts } = models.find(body.model ?? undefined);
      note({ model: name });
      return { prompt: renderPrompt(readConversation(body), parts) };
    },
    async renderChatCompletion({ body }, context) {
      return rendered([readChat(body, context, models).request], context)[0];
    },
    async countChatInputTokens({ body }, context) {
      const { request } = readChat(body, context, models);
      const { name, parts } = models.find(request.model);
      const count = countPrompt(request, parts);
      context.note({ model: name, tokensIn: count });
      return { object: 'response.input_tokens', input_tokens: count };
    },
    async renderCompletion({ body }, context) {
      return rendered(completions.read(body, factsOf(context, 'cmpl-')), context);
    },
  };

  function rendered(requests: readonly GenerationRequest[], { note }: Context): RenderedRequest[] {
    const { name, parts } = models.find(requests[0].model);
    const all = requests.map((request) => ({
      request_id: request.id,
      model: name,
      token_ids: [...writePrompt(request, parts)],
    }));
    note({ model: name, tokensIn: all.reduce((sum, { token_ids: ids }) => sum + ids.length, 0) });
    return all;
  }
}
