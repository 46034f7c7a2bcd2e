// The interactive API page at /docs: Swagger UI from its package, our frame around it. Everything comes from this server; the policy of the
// page forbids the rest.

import { readFile } from 'node:fs/promises';
import type { Page } from '../core/page.ts';

export interface DocsFacts {
  /** Of the server. */
  readonly version: string;
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
export function docsPages(facts: DocsFacts): Page[] {
  return [
    { path: '/docs', ...index({ ...facts, folder: 'docs/', root: './' }) },
    { path: '/docs/', ...index({ ...facts, folder: '', root: '../' }) },
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

/** `{{name}}` in the file is the value of that name. */
function index(values: Readonly<Record<string, string>>): Content {
  return {
    type: types.html,
    headers: { 'content-security-policy': policy },
    async read() {
      const text = await readFile(new URL(own('index.html')), 'utf8');
      return Buffer.from(text.replace(/\{\{(\w+)\}\}/g, (_, name: string) => escape(values[name])));
    },
  };
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
