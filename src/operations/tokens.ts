// POST /tokenize, /detokenize, /apply-template: what the model named would read, without asking it anything.

import type { Operations } from '../generated/operations.ts';
import type { Models } from '../generation/models.ts';
import { renderPrompt } from '../generation/prompt.ts';
import { detokenize, pieceOf, tokenize } from '../generation/tokens.ts';
import { readConversation, readTokenize } from '../protocol/tokens.ts';

type TokenOperations = Pick<Operations, 'tokenize' | 'detokenize' | 'applyTemplate'>;

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
  };
}
