// What an answer has beyond its body and its events.

import { randomInt } from 'node:crypto';
import { newId } from '../core/ids.ts';
import type { Context } from '../core/operation.ts';
import type { RequestFacts } from '../protocol/dialect.ts';

/** `prefix`: of the ids of this dialect, as `chatcmpl-`. */
export function factsOf({ principal, requestId, traceId, ignored }: Context, prefix: string): RequestFacts {
  return {
    id: newId(prefix),
    created: Math.floor(Date.now() / 1000),
    tenant: principal.id,
    seed: randomInt(2 ** 32),
    traceId: traceId ?? requestId,
    ignored,
  };
}
