// One conversation, as every dialect's `read` writes it and every chat template reads it.

export type Role = 'system' | 'developer' | 'user' | 'assistant' | 'tool' | (string & {});

export interface TextPart {
  readonly type: 'text';
  readonly text: string;
}

/** Media by content; never fetched by this room. */
export interface MediaPart {
  readonly type: 'image' | 'audio' | 'video' | 'file';
  readonly url: string;
}

export type ContentPart = TextPart | MediaPart;

export interface ToolCall {
  readonly id: string;
  readonly name: string;
  /** JSON text, as the model wrote it. */
  readonly arguments: string;
}

export interface Message {
  readonly role: Role;
  readonly content: readonly ContentPart[];
  readonly name?: string | undefined;
  readonly toolCallId?: string | undefined;
  readonly toolCalls?: readonly ToolCall[] | undefined;
  readonly reasoning?: string | undefined;
}

export interface Tool {
  readonly name: string;
  readonly description?: string | undefined;
  readonly parameters?: Readonly<Record<string, unknown>> | undefined;
  readonly strict: boolean;
}

export type ToolChoice =
  | { readonly mode: 'none' | 'auto' | 'required' }
  | { readonly mode: 'function'; readonly name: string }
  | { readonly mode: 'allowed'; readonly required: boolean; readonly names: readonly string[] };
