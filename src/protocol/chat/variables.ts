// What a chat request tells the template besides messages: variables by name, thinking by its own fields.

import type * as wire from '../../generated/types.ts';
import { conflict } from '../generation-options.ts';

export type TemplateVariables = Readonly<Record<string, unknown>>;

/** The fields of the request win over variables of the same names. Templates know thinking by two names. */
export function readVariables(body: wire.ChatCompletionRequest): TemplateVariables {
  const effort = body.reasoning_effort === 'off' ? 'none' : (body.reasoning_effort ?? undefined);
  const thinks = readThinking(body.enable_thinking ?? undefined, effort);
  return {
    ...body.chat_template_kwargs,
    ...(thinks !== undefined && { enable_thinking: thinks, thinking: thinks }),
    ...(effort !== undefined && { reasoning_effort: effort }),
  };
}

/** `undefined`: the template decides. */
function readThinking(wanted: boolean | undefined, effort: string | undefined): boolean | undefined {
  if (effort === undefined) return wanted;
  const implied = effort !== 'none';
  if (wanted !== undefined && wanted !== implied) {
    throw conflict(
      'reasoning_effort',
      `reasoning_effort is "${effort}" and enable_thinking is ${wanted}; they contradict each other, so send one of them.`,
    );
  }
  return implied;
}
