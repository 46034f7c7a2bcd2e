// Ids as the published APIs shape them: a prefix that names the kind, then 24 letters and digits.

import { randomBytes } from 'node:crypto';

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** `newId('chatcmpl-')` -> `chatcmpl-9Yq...`; 24 characters, about 142 bits. */
export function newId(prefix: string): string {
  let id = prefix;
  let missing = 24;
  while (missing > 0) {
    for (const byte of randomBytes(missing + 8)) {
      // 248 = 4 * 62: bytes above would make some characters likelier.
      if (byte >= 248 || missing === 0) continue;
      id += alphabet[byte % 62];
      missing--;
    }
  }
  return id;
}
