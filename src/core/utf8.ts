// UTF-8 <-> string without loss: bytes that are no UTF-8 become lone surrogates and come back as the same bytes (the
// "surrogateescape" scheme of PEP 383). Token tables of byte-fallback vocabularies hold such bytes.

import { isUtf8 } from 'node:buffer';

/** Every byte that is not part of valid UTF-8 becomes U+DC00 + byte; valid UTF-8 never gives surrogates, so nothing is ambiguous. */
export function decodeUtf8(bytes: Uint8Array, start = 0, end: number = bytes.length): string {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString('utf8', start, end);
  // Only a text with U+FFFD may have lost something.
  if (!text.includes('\ufffd') || isUtf8(buffer.subarray(start, end))) return text;
  return decodeEscaping(buffer, start, end);
}

/** The inverse of `decodeUtf8`. Lone surrogates that it never makes are encoded as U+FFFD. */
export function encodeUtf8(text: string): Uint8Array {
  if (text.isWellFormed()) return Buffer.from(text, 'utf8');
  const bytes = Buffer.allocUnsafe(3 * text.length);
  let length = 0;
  for (const character of text) {
    const code = character.charCodeAt(0);
    if (code >= 0xdc80 && code <= 0xdcff) bytes[length++] = code - 0xdc00;
    else length += bytes.write(character, length, 'utf8');
  }
  return bytes.subarray(0, length);
}

function decodeEscaping(bytes: Buffer, start: number, end: number): string {
  // A byte never gives more than one code unit.
  const units = Buffer.allocUnsafe(2 * (end - start));
  let length = 0;
  for (let at = start; at < end;) {
    const size = characterBytes(bytes, at, end);
    if (size === 1) length = units.writeUInt16LE(bytes[at], length);
    else if (size === 0) length = units.writeUInt16LE(0xdc00 + bytes[at], length);
    else length += units.write(bytes.toString('utf8', at, at + size), length, 'utf16le');
    at += Math.max(1, size);
  }
  return units.toString('utf16le', 0, length);
}

/** Bytes of the valid UTF-8 character at `at` (Unicode 16, table 3-7), 0 when there is none. */
function characterBytes(bytes: Buffer, at: number, end: number): number {
  const first = bytes[at];
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const size = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (at + size > end) return 0;
  const second = bytes[at + 1];
  const least = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const most = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < least || second > most) return 0;
  for (let i = 2; i < size; i++) if ((bytes[at + i] & 0xc0) !== 0x80) return 0;
  return size;
}
