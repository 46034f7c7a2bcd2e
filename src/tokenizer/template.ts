// Chat templates: Jinja programs that come with a model and write a conversation as the prompt it was trained on
// (Hugging Face, "Chat templates"). What a template needs (strings or parts, arguments as object or text) is found out by rendering
// tiny conversations once.

import { ApiError } from '../core/errors.ts';
import type { Message, Tool } from '../core/message.ts';
import type { Metadata } from '../core/metadata.ts';
import { templateMessages, templateTools } from './conversation.ts';
import { JinjaTemplate, languageNames } from './jinja/render.ts';
import { findShape } from './shape.ts';
import type { TemplateShape } from './shape.ts';

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

const reserved: ReadonlySet<string> = new Set([
  ...languageNames,
  'messages',
  'tools',
  'add_generation_prompt',
  'bos_token',
  'eos_token',
]);

export interface TemplateOptions {
  /** What `strftime_now` reads; the machine's clock unless a test sets it. */
  readonly now?: () => Date;
  /** A second template of the same model for conversations with tools. */
  readonly withTools?: string;
}

export class ChatTemplate {
  readonly source: string;
  readonly #program: JinjaTemplate;
  readonly #now: () => Date;
  readonly #withTools: ChatTemplate | undefined;
  #shape: TemplateShape | undefined;

  /** Throws `ApiError` when the source is no template that can be read. */
  constructor(source: string, options: TemplateOptions = {}) {
    this.source = source;
    this.#now = options.now ?? ((): Date => new Date());
    this.#withTools =
      options.withTools === undefined ? undefined : new ChatTemplate(options.withTools, { now: this.#now });
    try {
      this.#program = new JinjaTemplate(source);
    } catch (error) {
      throw new ApiError('invalid_request', `The chat template cannot be read: ${words(error)}`, {
        code: 'template_error',
        cause: error,
      });
    }
  }

  /** What the template takes; found out once. */
  get shape(): TemplateShape {
    return (this.#shape ??= findShape(this.source, (context) => this.#try(context)));
  }

  /** Whether a variable of this name may change the prompt: the template mentions it, and it is the caller's to set. */
  mentions(name: string): boolean {
    if (reserved.has(name)) return false;
    return this.source.includes(name) || this.#withTools?.mentions(name) === true;
  }

  /** The prompt. Throws `ApiError` with the template's own words when it refuses the conversation. */
  render(input: TemplateInput): string {
    if (this.#withTools !== undefined && input.tools.length > 0) return this.#withTools.render(input);
    try {
      return this.#render(input, this.shape);
    } catch (error) {
      const hasCalls = input.messages.some((message) => (message.toolCalls ?? []).length > 0);
      if (!hasCalls || this.shape.toolArguments === 'text') throw error;
      // A template may want the arguments as text on a path that the probe did not take.
      try {
        return this.#render(input, { ...this.shape, toolArguments: 'text' });
      } catch {
        throw error;
      }
    }
  }

  #render(input: TemplateInput, shape: TemplateShape): string {
    return this.renderContext({
      documents: null,
      ...Object.fromEntries(Object.entries(input.variables).filter(([name]) => !reserved.has(name))),
      messages: templateMessages(input.messages, shape),
      tools: templateTools(input.tools, shape),
      add_generation_prompt: input.addGenerationPrompt,
      bos_token: input.bos,
      eos_token: input.eos,
    });
  }

  /** Renders exactly this context, as Python's transformers would. */
  renderContext(context: Readonly<Record<string, unknown>>): string {
    const tools = context['tools'];
    if (this.#withTools !== undefined && Array.isArray(tools) && tools.length > 0) {
      return this.#withTools.renderContext(context);
    }
    try {
      return this.#program.render(context, this.#now);
    } catch (error) {
      throw new ApiError('invalid_request', words(error), { code: 'template_error', param: 'messages', cause: error });
    }
  }

  #try(context: Readonly<Record<string, unknown>>): string | undefined {
    const rest = { documents: null, add_generation_prompt: true, bos_token: '', eos_token: '' };
    try {
      return this.#program.render({ ...rest, ...context }, this.#now);
    } catch {
      return undefined;
    }
  }
}

function words(error: unknown): string {
  if (error instanceof RangeError) return 'the template recurses too deeply';
  return error instanceof Error ? error.message : String(error);
}

const chatml =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

/** The template of a model; `warning` says when it has none and ChatML stands in. Throws `ApiError` when it cannot be read. */
export function readChatTemplate(
  metadata: Metadata,
  options: { readonly now?: () => Date } = {},
): { readonly template: ChatTemplate; readonly warning: string | undefined } {
  const source = text(metadata, 'tokenizer.chat_template') ?? text(metadata, 'tokenizer.chat_template.default');
  const withTools = text(metadata, 'tokenizer.chat_template.tool_use');
  if (source !== undefined) {
    return {
      template: new ChatTemplate(source, { ...options, ...(withTools === undefined ? {} : { withTools }) }),
      warning: undefined,
    };
  }
  return {
    template: new ChatTemplate(chatml, options),
    warning:
      'the model has no chat template: conversations are written as ChatML, which it may not have been trained on',
  };
}

function text(metadata: Metadata, key: string): string | undefined {
  const value = Object.hasOwn(metadata, key) ? metadata[key] : undefined;
  return typeof value === 'string' && value.trim() !== '' ? value : undefined;
}
