// The bytes of a request body -> a JSON value, or an error that says what is wrong with them.

import { ApiError } from '../core/errors.ts';
import { BodyError, type Exchange } from './transport.ts';

/** Deepest nesting of arrays and objects: far beyond any schema or message, and safe for code that recurses. */
const maxDepth = 256;

export interface JsonBody {
  /** `undefined` for an empty body that is not required. */
  readonly value: unknown;
  readonly bytes: number;
}

/** Reads the whole body, at most `limitBytes`. Throws `ApiError`, or `BodyError` when the caller went away. */
export async function readJson(exchange: Exchange, limitBytes: number, required: boolean): Promise<JsonBody> {
  // Types and encodings are looked at first: nobody should have to send 50 MB to learn that they are the wrong ones.
  const isTyped = exchange.header('content-length') !== '0' && checkHeaders(exchange);
  const bytes = await readBytes(exchange, limitBytes);
  if (bytes.length === 0) {
    if (!required) return { value: undefined, bytes: 0 };
    throw refusal('The request body is empty; send a JSON object.', 'missing_body');
  }
  if (!isTyped) checkHeaders(exchange);
  return { value: parseJson(bytes), bytes: bytes.length };
}

export function parseJson(bytes: Uint8Array): unknown {
  checkDepth(bytes);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw refusal('The request body is not valid UTF-8; send JSON as UTF-8.', 'invalid_encoding');
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw refusal(`The request body is not valid JSON${place(text, reason)}: ${clean(reason)}.`, 'invalid_json');
  }
  // As an own key it is harmless until somebody copies it key by key: it is kept out at the door.
  if (/"(?:_|\\u005f){2}/i.test(text)) refuseProto(value);
  return value;
}

async function readBytes(exchange: Exchange, limitBytes: number): Promise<Uint8Array> {
  try {
    return await exchange.body(limitBytes);
  } catch (error) {
    if (!(error instanceof BodyError) || error.reason !== 'too_large') throw error;
    throw new ApiError('too_large', `The request body is larger than this server accepts (${limitBytes} bytes).`, {
      code: 'request_too_large',
    });
  }
}

/** A missing content type is taken for JSON: browsers cannot send such a request unseen, their `Origin` is checked before. */
function checkHeaders(exchange: Exchange): true {
  const coding = exchange.header('content-encoding')?.trim().toLowerCase() ?? 'identity';
  if (coding !== 'identity' && coding !== '') {
    throw new ApiError('unsupported_media_type', `Content-Encoding "${coding}" is not supported; send plain JSON.`, {
      code: 'unsupported_content_encoding',
    });
  }
  const header = exchange.header('content-type');
  if (header === undefined || header.trim() === '') return true;
  const [type, ...parameters] = header.split(';').map((part) => part.trim().toLowerCase());
  if (type !== 'application/json' && !/^application\/[\w.-]+\+json$/.test(type)) {
    throw new ApiError('unsupported_media_type', `Content-Type "${type}" is not supported; send application/json.`, {
      code: 'unsupported_content_type',
    });
  }
  const charset = parameters.find((parameter) => parameter.startsWith('charset='))?.slice('charset='.length);
  if (charset !== undefined && !/^"?(utf-?8|us-ascii)"?$/.test(charset)) {
    throw new ApiError('unsupported_media_type', `Charset ${charset} is not supported; send JSON as UTF-8.`, {
      code: 'unsupported_charset',
    });
  }
  return true;
}

/** One pass over the bytes, before anything recurses or allocates (about 1.5 ns per byte). */
function checkDepth(bytes: Uint8Array): void {
  let depth = 0;
  let isInString = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (isInString) {
      if (byte === 0x5c) i++;
      else if (byte === 0x22) isInString = false;
    } else if (byte === 0x22) isInString = true;
    else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > maxDepth)
        throw refusal(`The request body is nested deeper than ${maxDepth} levels.`, 'invalid_json');
    } else if (byte === 0x5d || byte === 0x7d) depth--;
  }
}

function refuseProto(root: unknown): void {
  const pending = [root];
  while (pending.length > 0) {
    const value = pending.pop();
    if (typeof value !== 'object' || value === null) continue;
    if (Object.hasOwn(value, '__proto__')) {
      throw refusal('The key "__proto__" is not accepted in a request body.', 'invalid_json');
    }
    for (const inner of Object.values(value)) pending.push(inner);
  }
}

/** ` (line 3, column 7)`, when the parser says where. */
function place(text: string, reason: string): string {
  const match = /at position (\d+)/.exec(reason);
  if (match === null) return '';
  const lines = text.slice(0, Number(match[1])).split('\n');
  return ` (line ${lines.length}, column ${lines[lines.length - 1].length + 1})`;
}

/** The parser's own words without its picture of the source. */
function clean(reason: string): string {
  const words = reason.replace(/ in JSON at position.*$/s, '').replace(/, .* is not valid JSON$/s, '');
  return words.length > 100 ? 'unexpected text' : words;
}

function refusal(message: string, code: string): ApiError {
  return new ApiError('invalid_request', message, { code });
}
