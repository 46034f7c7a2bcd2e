// The line of a request in the text log: what people look for first, in words and units.
//
//   POST /v1/chat/completions  200  in 1,240 (1,024 cached)  out 96  first 0.21 s  31.4 tok/s  req_8f...

import type { LogFields } from './core/log.ts';
import { grouped } from './core/units.ts';

/** Words that say these fields, and the fields that remain. */
export function accessLine(fields: LogFields): { readonly words: readonly string[]; readonly rest: LogFields } {
  const { method, path, status, ms, tokensIn, tokensCached, tokensOut, ttftMs, tokS, requestId, ...others } = fields;
  // Sizes and names for machines; they are in the JSON log.
  const {
    operation: _,
    route: _route,
    spanId: _span,
    bytesIn: _in,
    bytesOut: _out,
    events: _events,
    finishReason,
    ...rest
  } = others;
  const words = [`${String(method)} ${String(path)}`, String(status)];
  if (typeof tokensIn === 'number') {
    const cached = typeof tokensCached === 'number' && tokensCached > 0 ? ` (${grouped(tokensCached)} cached)` : '';
    words.push(`in ${grouped(tokensIn)}${cached}`);
  }
  if (typeof tokensOut === 'number')
    words.push(`out ${grouped(tokensOut)}${finishReason === 'length' ? ' (limit)' : ''}`);
  if (typeof ttftMs === 'number') words.push(`first ${(ttftMs / 1000).toFixed(2)} s`);
  if (typeof tokS === 'number') words.push(`${tokS} tok/s`);
  if (typeof tokensIn !== 'number' && typeof ms === 'number') words.push(`${ms} ms`);
  if (typeof requestId === 'string') words.push(requestId);
  return { words, rest };
}
