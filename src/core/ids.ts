// Ids as the published APIs shape them: a prefix that names the kind, then 24 letters and digits.

import { randomFillSync } from 'node:crypto';

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** Random bytes are fetched for many ids at once: one at a time they were a sixth of what a small request costs. */
const pool = Buffer.alloc(4096);
let used = pool.length;

/** `newId('chatcmpl-')` -> `chatcmpl-9Yq...`; 24 characters, about 142 bits. */
export function newId(prefix: string): string {
  let id = prefix;
  for (let missing = 24; missing > 0;) {
    if (used === pool.length) {
      randomFillSync(pool);
      used = 0;
    }
    const byte = pool[used++];
    // 248 = 4 * 62: bytes above would make some characters likelier.
    if (byte >= 248) continue;
    id += alphabet[byte % 62];
    missing--;
  }
  return id;
}
