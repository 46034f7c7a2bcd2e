// A request as the case files write it, and its bytes (RFC 9112 §§3-7).

/** A request as a case writes it. */
export interface Request {
  readonly method: string;
  /** `chat/completions` is taken from the API's base, `/health` from the root of the server. */
  readonly path: string;
  /** Of HTTP, when it is not 1.1. */
  readonly version?: '1.0' | undefined;
  /** Added to the usual ones; `null` leaves a usual one out. */
  readonly headers?: Readonly<Record<string, string | null>> | undefined;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it stands, in place of `body`. */
  readonly text?: string | undefined;
  /** How the body travels; at once and with its length when left out. */
  readonly transfer?: Transfer | undefined;
}

export interface Transfer {
  /** Chunked transfer coding instead of a length. */
  readonly chunked?: boolean | undefined;
  /** The body is written in so many pieces of equal size. */
  readonly pieces?: number | undefined;
  /** Milliseconds between the pieces. */
  readonly pauseMs?: number | undefined;
}

export interface EncodedRequest {
  readonly head: string;
  /** The body; in chunked coding each piece is a chunk. */
  readonly pieces: readonly Buffer[];
}

/** What a request does not say itself. */
export interface Place {
  /** In full, with the query. */
  readonly path: string;
  readonly host: string;
  readonly apiKey: string | undefined;
}

export function encodeRequest(request: Request, place: Place): EncodedRequest {
  const body = bodyOf(request);
  const { chunked = false, pieces = 1 } = request.transfer ?? {};
  const usual: Record<string, string | null> = {
    host: place.host,
    'user-agent': 'tramontane-conformance',
    accept: '*/*',
    ...(place.apiKey === undefined ? {} : { authorization: `Bearer ${place.apiKey}` }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(body === undefined
      ? {}
      : chunked
        ? { 'transfer-encoding': 'chunked' }
        : { 'content-length': `${body.length}` }),
  };
  const given = request.headers ?? {};
  const replaced = new Set(Object.keys(given).map((name) => name.toLowerCase()));
  const fields = [...Object.entries(usual).filter(([name]) => !replaced.has(name)), ...Object.entries(given)];
  const lines = fields.filter(([, value]) => value !== null).map(([name, value]) => `${name}: ${value}\r\n`);
  return {
    head: `${request.method} ${place.path} HTTP/${request.version ?? '1.1'}\r\n${lines.join('')}\r\n`,
    pieces: body === undefined ? [] : cut(body, pieces, chunked),
  };
}

function bodyOf(request: Request): Buffer | undefined {
  if (request.text !== undefined) return Buffer.from(request.text);
  return request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body));
}

function cut(body: Buffer, count: number, chunked: boolean): Buffer[] {
  const size = Math.max(1, Math.ceil(body.length / count));
  const pieces: Buffer[] = [];
  for (let from = 0; from < body.length; from += size) pieces.push(body.subarray(from, from + size));
  if (!chunked) return pieces;
  const framed = pieces.map((piece) =>
    Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]),
  );
  return [...framed, Buffer.from('0\r\n\r\n')];
}
