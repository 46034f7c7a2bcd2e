// Pages beside the operations: GET and HEAD of an exact path, answered with bytes and their ETag (RFC 9110 §13.1.2). They need no key:
// nothing in them is more than what the package says of itself.

import { createHash } from 'node:crypto';
import { invariant } from '../core/errors.ts';
import type { Page } from '../core/page.ts';
import type { Answer } from './failure.ts';
import type { Match } from './router.ts';

export type PageMatch =
  { readonly type: 'page'; readonly page: Page } | Extract<Match, { type: 'options' | 'wrong_method' }>;

const methods = ['GET', 'HEAD', 'OPTIONS'];

interface Loaded {
  readonly bytes: Uint8Array;
  readonly etag: string;
}

export class Pages {
  readonly #pages = new Map<string, Page>();
  readonly #loaded = new Map<Page, Promise<Loaded>>();

  constructor(pages: readonly Page[]) {
    for (const page of pages) {
      invariant(!this.#pages.has(page.path), `page ${page.path} is in the table once`);
      this.#pages.set(page.path, page);
    }
  }

  /** `undefined`: no page of ours. */
  match(method: string, path: string): PageMatch | undefined {
    const page = this.#pages.get(path);
    if (page === undefined) return undefined;
    if (method === 'GET' || method === 'HEAD') return { type: 'page', page };
    if (method === 'OPTIONS') return { type: 'options', allow: methods };
    return { type: 'wrong_method', allow: methods, dialect: 'openai' };
  }

  /** `ifNoneMatch`: the request's header; 304 when the caller has these bytes already. */
  async answer(page: Page, ifNoneMatch: string | undefined): Promise<Answer<string | Uint8Array>> {
    const { bytes, etag } = await this.#load(page);
    const headers = {
      'content-type': page.type,
      etag,
      // Ask every time: an update of the server shows at once, and the answer is a 304 until then.
      'cache-control': 'no-cache',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      ...page.headers,
    };
    if (isAmong(etag, ifNoneMatch)) return { status: 304, headers, body: '' };
    return { status: 200, headers, body: bytes };
  }

  async #load(page: Page): Promise<Loaded> {
    const known = this.#loaded.get(page) ?? load(page);
    this.#loaded.set(page, known);
    try {
      return await known;
    } catch (error) {
      this.#loaded.delete(page);
      throw error;
    }
  }
}

async function load(page: Page): Promise<Loaded> {
  const bytes = await page.read();
  return { bytes, etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"` };
}

/** Weak comparison: a proxy that compresses may have weakened our tag. */
function isAmong(etag: string, list: string | undefined): boolean {
  if (list === undefined) return false;
  return list.split(',').some((tag) => ['*', etag].includes(tag.trim().replace(/^W\//, '')));
}
