// The line of a request in the text log: what people look for first, in words and units.
//
//   POST /v1/chat/completions  200  in 1,240 (1,024 cached)  out 96  first 0.21 s  31.4 tok/s  req_8f...

import type { LogFields } from './core/log.ts';
import { grouped } from './core/units.ts';

/** What these fields say. Those that are not `inAccessWords` remain. */
export function accessWords({
  method,
  path,
  status,
  ms,
  tokensIn,
  tokensCached,
  tokensOut,
  ttftMs,
  tokS,
  requestId,
  finishReason,
}: LogFields): string {
  let words = `${String(method)} ${String(path)}  ${String(status)}`;
  if (typeof tokensIn === 'number') {
    words += `  in ${grouped(tokensIn)}`;
    if (typeof tokensCached === 'number' && tokensCached > 0) words += ` (${grouped(tokensCached)} cached)`;
  }
  if (typeof tokensOut === 'number')
    words += `  out ${grouped(tokensOut)}${finishReason === 'length' ? ' (limit)' : ''}`;
  if (typeof ttftMs === 'number') words += `  first ${(ttftMs / 1000).toFixed(2)} s`;
  if (typeof tokS === 'number') words += `  ${tokS} tok/s`;
  if (typeof tokensIn !== 'number' && typeof ms === 'number') words += `  ${ms} ms`;
  if (typeof requestId === 'string') words += `  ${requestId}`;
  return words;
}

/** Said in words, or sizes and names for machines: those are in the JSON log. */
export const inAccessWords: ReadonlySet<string> = new Set(
  [
    'method path status ms tokensIn tokensCached tokensOut ttftMs tokS requestId finishReason',
    'operation route spanId bytesIn bytesOut events',
  ].flatMap((names) => names.split(' ')),
);
