// The interactive API page at /docs: Swagger UI from its package, our frame around it; and the table of fields. Everything comes from this
// server; the policy of the pages forbids the rest.

import { readFile } from 'node:fs/promises';
import type { Page } from '../core/page.ts';
import { escape } from './escape.ts';
import { fieldsHtml } from './fields.ts';

export interface DocsFacts {
  /** Of the server. */
  readonly version: string;
  /** The OpenAPI document. */
  readonly document: Readonly<Record<string, unknown>>;
}

/** Swagger UI sets styles through the DOM only, and draws its icons from `data:` addresses in its style sheet. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const types = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
} as const;

/** Links are relative, so that the page also works under the path prefix of a proxy; hence one page for each of its two paths. */
export function docsPages({ version, document }: DocsFacts): Page[] {
  const index = (folder: string, root: string): Content => html('index.html', { version, folder, root });
  return [
    { path: '/docs', ...index('docs/', './') },
    { path: '/docs/', ...index('', '../') },
    { path: '/docs/fields', ...html('fields.html', { version }, { tables: () => fieldsHtml(document) }) },
    { path: '/docs/page.css', ...file('css', () => own('page.css')) },
    { path: '/docs/page.js', ...file('js', () => own('page.js')) },
    { path: '/docs/icon.svg', ...file('svg', () => own('icon.svg')) },
    { path: '/docs/swagger-ui.css', ...file('css', () => import.meta.resolve('swagger-ui-dist/swagger-ui.css')) },
    {
      path: '/docs/swagger-ui-bundle.js',
      ...file('js', () => import.meta.resolve('swagger-ui-dist/swagger-ui-bundle.js')),
    },
  ];
}

type Content = Omit<Page, 'path'>;

/** Written for browsers, so they are not compiled: they are read where they were written. */
function own(name: string): string {
  return new URL(`../../../src/pages/docs/${name}`, import.meta.url).href;
}

function file(type: keyof typeof types, address: () => string): Content {
  return { type: types[type], read: async () => await readFile(new URL(address())) };
}

/** `{{name}}` in the file is the text of that name, or the HTML of a part. */
function html(
  name: string,
  texts: Readonly<Record<string, string>>,
  parts: Readonly<Record<string, () => string>> = {},
): Content {
  return {
    type: types.html,
    headers: { 'content-security-policy': policy },
    async read() {
      const file = await readFile(new URL(own(name)), 'utf8');
      return Buffer.from(file.replace(/\{\{(\w+)\}\}/g, (_, key: string) => parts[key]?.() ?? escape(texts[key])));
    },
  };
}
