// Chat templates: Jinja programs that come with a model and write a conversation as the prompt it was trained on
// (Hugging Face, "Chat templates"). What a template needs (strings or parts, arguments as object or text) is found out by rendering
// tiny conversations once.

import { Template } from '@huggingface/jinja';
import { ApiError } from '../core/errors.ts';
import type { Message, Tool } from '../core/message.ts';
import type { Metadata } from '../core/metadata.ts';
import { mergeSystemMessages, templateMessages, templateTools } from './conversation.ts';
import type { TemplateShape } from './conversation.ts';

export interface TemplateInput {
  readonly messages: readonly Message[];
  readonly tools: readonly Tool[];
  readonly addGenerationPrompt: boolean;
  /** Texts of the vocabulary's BOS and EOS; empty where it has none. */
  readonly bos: string;
  readonly eos: string;
  /** Further variables (`enable_thinking`, ...). Names that the template language or this record owns are left out. */
  readonly variables: Readonly<Record<string, unknown>>;
}

const reserved: ReadonlySet<string> = new Set(
  (
    'true false none True False None namespace range raise_exception strftime_now loop ' +
    'messages tools add_generation_prompt bos_token eos_token'
  ).split(' '),
);

export class ChatTemplate {
  readonly source: string;
  readonly #program: Template;
  #shape: TemplateShape | undefined;

  /** Throws `ApiError` when the source is no template that can be read. */
  constructor(source: string) {
    this.source = source;
    try {
      this.#program = new Template(source);
    } catch (error) {
      throw templateError(error);
    }
  }

  /** What the template takes; found out once. */
  get shape(): TemplateShape {
    return (this.#shape ??= this.#findShape());
  }

  /** The prompt. Throws `ApiError` with the template's own words when it refuses the conversation. */
  render(input: TemplateInput): string {
    const messages = templateMessages(input.messages, this.shape);
    const variables = Object.entries(input.variables).filter(
      ([name, value]) => !reserved.has(name) && value !== undefined,
    );
    const context = (list: readonly unknown[]): Record<string, unknown> => ({
      documents: null,
      ...Object.fromEntries(variables),
      messages: list,
      tools: templateTools(input.tools),
      add_generation_prompt: input.addGenerationPrompt,
      bos_token: input.bos,
      eos_token: input.eos,
    });
    try {
      return this.renderContext(context(messages));
    } catch (error) {
      const merged = mergeSystemMessages(messages);
      if (merged === undefined) throw error;
      try {
        return this.renderContext(context(merged));
      } catch {
        throw error;
      }
    }
  }

  /** Renders exactly this context, as Python's transformers would. */
  renderContext(context: Readonly<Record<string, unknown>>): string {
    try {
      return this.#program.render(context);
    } catch (error) {
      throw templateError(error);
    }
  }

  #findShape(): TemplateShape {
    const asked = (content: unknown): string =>
      this.#try([{ role: 'user', content }]) ??
      this.#try([
        { role: 'system', content: 'x' },
        { role: 'user', content },
      ]) ??
      '';
    const string = asked('sought-text').includes('sought-text');
    const list = asked([{ type: 'text', text: 'sought-text' }]);
    const takesParts = list.includes('sought-text') && !list.includes("'type'") && !list.includes('"type"');
    return {
      content: !string && takesParts ? 'parts' : 'string',
      takesParts,
      toolArguments: this.#takesObjects() ? 'object' : 'text',
      knowsDeveloper: /['"]developer['"]/.test(this.source),
    };
  }

  #takesObjects(): boolean {
    const rendered = this.#try([
      { role: 'user', content: 'x' },
      {
        role: 'assistant',
        content: '',
        tool_calls: [{ id: 'call00000', type: 'function', function: { name: 'f', arguments: { sought: 'value' } } }],
      },
      { role: 'tool', tool_call_id: 'call00000', name: 'f', content: 'x' },
    ]);
    return rendered !== undefined && !rendered.includes("'sought'");
  }

  #try(messages: readonly unknown[]): string | undefined {
    try {
      const context = {
        messages,
        tools: null,
        documents: null,
        add_generation_prompt: true,
        bos_token: '',
        eos_token: '',
      };
      return this.renderContext(context);
    } catch {
      return undefined;
    }
  }
}

function templateError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const words = error instanceof Error ? error.message : String(error);
  return new ApiError('invalid_request', `The chat template refused this conversation: ${words}`, {
    code: 'template_error',
    cause: error,
  });
}

const chatml =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

/** The template of a model; `warning` says when it has none and ChatML stands in. */
export function readChatTemplate(metadata: Metadata): {
  readonly template: ChatTemplate;
  readonly warning: string | undefined;
} {
  const source = metadata['tokenizer.chat_template'];
  if (typeof source === 'string' && source !== '') return { template: new ChatTemplate(source), warning: undefined };
  return {
    template: new ChatTemplate(chatml),
    warning:
      'the model has no chat template: conversations are written as ChatML, which it may not have been trained on',
  };
}
