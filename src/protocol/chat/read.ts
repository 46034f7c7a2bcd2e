// Chat completion body -> GenerationRequest. The body is valid (generated validator) and asks for nothing that is refused (field plan);
// what concerns several fields at once is checked here.

import { ApiError } from '../../core/errors.ts';
import type { GenerationRequest } from '../../core/generation.ts';
import type { ContentPart, Message, ToolCall } from '../../core/message.ts';
import type { SamplingParams } from '../../core/sampling.ts';
import type * as wire from '../../generated/types.ts';
import type { RequestFacts } from '../dialect.ts';

export function read(body: wire.ChatCompletionRequest, facts: RequestFacts): GenerationRequest {
  if ((body.stream_options ?? undefined) !== undefined && body.stream !== true) {
    throw conflict(
      'stream_options',
      'stream_options needs "stream": true; leave it out of requests that do not stream.',
    );
  }
  return {
    id: facts.id,
    model: body.model ?? undefined,
    tenant: facts.tenant,
    prompt: {
      type: 'chat',
      messages: readMessages(body.messages),
      tools: [],
      toolChoice: { mode: 'none' },
      template: {},
    },
    sampling: readSampling(body, facts.seed),
    stop: readStop(body.stop),
    maxTokens: readLimit(body),
    choices: 1,
    truncate: false,
    output: { type: 'logits' },
    traceId: facts.traceId,
  };
}

function readSampling(body: wire.ChatCompletionRequest, seed: number): SamplingParams {
  const minP = body.min_p ?? 0;
  return {
    temperature: body.temperature ?? 1,
    topP: body.top_p ?? 1,
    // 0, -1 and null all mean no limit.
    topK: Math.max(0, body.top_k ?? 0),
    // The field is documented to have no effect outside of 0..1.
    minP: minP >= 0 && minP <= 1 ? minP : 0,
    seed: body.seed ?? seed,
  };
}

function readStop(stop: wire.ChatCompletionRequest['stop']): readonly string[] {
  return typeof stop === 'string' ? [stop] : (stop ?? []);
}

function readLimit(body: wire.ChatCompletionRequest): number | undefined {
  const older = body.max_tokens ?? undefined;
  const newer = body.max_completion_tokens ?? undefined;
  if (older !== undefined && newer !== undefined && older !== newer) {
    throw conflict(
      'max_tokens',
      `max_tokens is ${older} and max_completion_tokens is ${newer}; they mean the same, so send one of them.`,
    );
  }
  return newer ?? older;
}

function readMessages(messages: wire.ChatCompletionRequest['messages']): readonly Message[] {
  if (typeof messages === 'string') return [{ role: 'user', content: [{ type: 'text', text: messages }] }];
  return messages.map((message, index) => readMessage(message, `messages[${index}]`));
}

/** What messages of all roles can have. */
interface AnyMessage {
  readonly role: string;
  readonly content?: wire.MessageContent | undefined;
  readonly name?: string | null | undefined;
  readonly tool_calls?: readonly wire.ToolCall[] | null | undefined;
  readonly tool_call_id?: string | null | undefined;
  readonly reasoning_content?: string | null | undefined;
  readonly reasoning?: string | null | undefined;
}

/** Roles go through as they are: which of them a template knows is the template's business (`developer` becomes `system` there). */
function readMessage(message: AnyMessage, param: string): Message {
  return {
    role: message.role,
    content: readContent(message.content, `${param}.content`),
    name: message.name ?? undefined,
    toolCallId: message.tool_call_id ?? undefined,
    toolCalls: message.tool_calls?.map((call, index) => readCall(call, index, `${param}.tool_calls[${index}]`)),
    reasoning: message.reasoning_content ?? message.reasoning ?? undefined,
  };
}

function readContent(content: wire.MessageContent | undefined, param: string): readonly ContentPart[] {
  if (typeof content === 'string') return [{ type: 'text', text: content }];
  return (content ?? []).map((part, index) => {
    // A part without a type is text.
    if ((part.type ?? 'text') === 'text' && 'text' in part) return { type: 'text', text: part.text };
    throw unsupported(`${param}[${index}]`, `Parts of type ${part.type} are not supported; send text.`);
  });
}

function readCall(call: wire.ToolCall, index: number, param: string): ToolCall {
  if (call.type === 'custom')
    throw unsupported(param, 'Custom tool calls are not supported; describe the call in the content.');
  const { name, arguments: given } = call.function;
  return {
    // A name of its own for a call that has none; nothing can refer to it.
    id: call.id ?? `call_${index}`,
    name,
    arguments: typeof given === 'string' ? given : JSON.stringify(given),
  };
}

function conflict(param: string, message: string): ApiError {
  return new ApiError('invalid_request', message, { code: 'conflicting_parameters', param });
}

function unsupported(param: string, message: string): ApiError {
  return new ApiError('invalid_request', message, { code: 'unsupported_parameter', param });
}
