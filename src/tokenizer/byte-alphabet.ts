// The alphabet of byte-level BPE (GPT-2): each byte is one printable character, so that merges work on strings. Printable Latin-1
// bytes stand for themselves, the others are moved to U+0100 and up, in order.

const characterOfByte: string[] = [];
const byteOfCode = new Map<number, number>();

let moved = 0;
for (let byte = 0; byte < 256; byte++) {
  const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  const code = printable ? byte : 0x100 + moved++;
  characterOfByte.push(String.fromCharCode(code));
  byteOfCode.set(code, byte);
}

/** The character that stands for a byte. */
export function byteCharacter(byte: number): string {
  return characterOfByte[byte];
}

/** Bytes of a byte-level piece; `undefined` when a character is not of the alphabet. */
export function pieceBytes(piece: string): Uint8Array | undefined {
  const bytes = new Uint8Array(piece.length);
  for (let i = 0; i < piece.length; i++) {
    const byte = byteOfCode.get(piece.charCodeAt(i));
    if (byte === undefined) return undefined;
    bytes[i] = byte;
  }
  return bytes;
}
