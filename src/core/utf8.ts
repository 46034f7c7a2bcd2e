// UTF-8 <-> string without loss: bytes that are no UTF-8 become lone surrogates and come back as the same bytes (the
// "surrogateescape" scheme of PEP 383). Token tables of byte-fallback vocabularies hold such bytes.

import { isUtf8 } from 'node:buffer';

/** Every byte that is not part of valid UTF-8 becomes U+DC00 + byte; valid UTF-8 never contains surrogates, so this is reversible. */
export function decodeUtf8(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString('utf8');
  // Only a text with U+FFFD may have lost something.
  if (!text.includes('\ufffd') || isUtf8(buffer)) return text;
  let escaped = '';
  for (let at = 0; at < buffer.length;) {
    const length = validLength(buffer, at);
    escaped += length === 0 ? String.fromCharCode(0xdc00 + buffer[at]) : buffer.toString('utf8', at, at + length);
    at += Math.max(1, length);
  }
  return escaped;
}

/** The inverse of `decodeUtf8`. Lone surrogates that it never makes are encoded as U+FFFD. */
export function encodeUtf8(text: string): Uint8Array {
  if (text.isWellFormed()) return Buffer.from(text, 'utf8');
  const parts: Uint8Array[] = [];
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    parts.push(code >= 0xdc80 && code <= 0xdcff ? Uint8Array.of(code - 0xdc00) : Buffer.from(character, 'utf8'));
  }
  return Buffer.concat(parts);
}

/** Bytes of the valid UTF-8 character at `at`, 0 when there is none. */
function validLength(buffer: Buffer, at: number): number {
  const first = buffer[at];
  if (first < 0x80) return 1;
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  return length > 0 && at + length <= buffer.length && isUtf8(buffer.subarray(at, at + length)) ? length : 0;
}
