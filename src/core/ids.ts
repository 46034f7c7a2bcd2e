// Ids as the published APIs shape them: a prefix that names the kind, then 24 letters and digits.

import { randomFillSync } from 'node:crypto';

const alphabet = Buffer.from('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz');
const length = 24;

/** Letters for many ids are drawn at once: one at a time they were a sixth of what a small request costs. */
let letters = '';
let used = 0;
const pool = Buffer.alloc(4096);

/** `newId('chatcmpl-')` -> `chatcmpl-9Yq...`; 24 characters, about 142 bits. */
export function newId(prefix: string): string {
  if (used + length > letters.length) {
    letters = draw();
    used = 0;
  }
  used += length;
  return prefix + letters.slice(used - length, used);
}

function draw(): string {
  randomFillSync(pool);
  let count = 0;
  for (let i = 0; i < pool.length; i++) {
    const byte = pool[i];
    // 248 = 4 * 62: bytes above would make some characters likelier.
    if (byte < 248) pool[count++] = alphabet[byte % 62];
  }
  return pool.toString('latin1', 0, count);
}
