// The caller's trace (W3C Trace Context §3.2): its id goes into our log lines and into the request, and `traceresponse` (W3C Trace Context
// HTTP Response Header, draft) tells the caller under which span of that trace our lines are. We do not echo `traceparent`: that is a header
// of requests, and its parent would be the caller itself. Without a trace there is the request id, and no trace is made up.

import { randomBytes } from 'node:crypto';

export interface Trace {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** Ours, 16 hexadecimal digits. */
  readonly spanId: string;
  readonly isSampled: boolean;
}

/** `undefined` also for what breaks the format, which is to be ignored. */
export function readTrace(header: string | undefined): Trace | undefined {
  const match = /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/.exec(header ?? '');
  if (match === null) return undefined;
  const [, version, traceId, parentId, flags, more] = match;
  // Later versions may have more fields; ff is no version, and ids of nothing but zeros are none.
  if (version === 'ff' || (version === '00' && more !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(parentId)) return undefined;
  return { traceId, spanId: randomBytes(8).toString('hex'), isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

export function traceResponse({ traceId, spanId, isSampled }: Trace): string {
  return `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`;
}
