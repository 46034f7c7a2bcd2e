// API keys: who holds one. What is kept of a key is its SHA-256, and comparing takes as long for a wrong key as for a right one.
//
// A fast hash is the right one here: keys are random tokens, so nothing can be guessed from a hash, and a slow one (scrypt, for passwords)
// would cost every request some 50 ms of a core and hand a lever to whoever sends wrong keys.

import { createHash, timingSafeEqual } from 'node:crypto';
import type { Principal } from '../core/operation.ts';

export interface ApiKey {
  /** Its holder: the name given with the key, else the beginning of the hash. Keys of one name are one tenant (rotation). */
  readonly id: string;
  /** SHA-256. */
  readonly hash: Buffer;
}

/** A text that is no key, or keys that contradict each other; the message never shows one. */
export class KeyError extends Error {
  override readonly name = 'KeyError';
}

/** `KEY` or `NAME:KEY`. Throws `KeyError`. */
export function readKey(text: string): ApiKey {
  const match = /^(?:([\w.-]{1,64}):)?([\x21-\x7e]{1,512})$/.exec(text);
  if (match === null || /[,:]/.test(match[2])) {
    throw new KeyError(
      'a key is 1 to 512 visible ASCII characters without comma and colon, with a name as NAME:KEY if wanted',
    );
  }
  const hash = hashOf(match[2]);
  return { id: match[1] ?? `key-${hash.toString('hex', 0, 8)}`, hash };
}

/** The keys of a server. They may be replaced while it runs. */
export class Keys {
  #keys: readonly ApiKey[];

  constructor(keys: readonly ApiKey[]) {
    this.#keys = distinct(keys);
  }

  get size(): number {
    return this.#keys.length;
  }

  /** The next request is held against these. Throws `KeyError`, and leaves everything as it was. */
  replace(keys: readonly ApiKey[]): void {
    this.#keys = distinct(keys);
  }

  /** Looks at all keys whatever it finds: time tells neither whether one fits nor which. */
  holder(key: string): Principal | undefined {
    const hash = hashOf(key);
    let holder: Principal | undefined;
    for (const known of this.#keys) if (timingSafeEqual(known.hash, hash)) holder = { id: known.id };
    return holder;
  }
}

function hashOf(key: string): Buffer {
  return createHash('sha256').update(key, 'utf8').digest();
}

/** The same key once; under two names it would be two tenants. No keys at all must never mean that everybody may enter. */
function distinct(keys: readonly ApiKey[]): readonly ApiKey[] {
  const byHash = new Map<string, ApiKey>();
  for (const key of keys) {
    const hex = key.hash.toString('hex');
    const other = byHash.get(hex);
    if (other !== undefined && other.id !== key.id) {
      throw new KeyError(`${other.id} and ${key.id} have the same key; give each its own`);
    }
    byHash.set(hex, key);
  }
  if (byHash.size === 0) throw new KeyError('there is no key');
  return [...byHash.values()];
}
