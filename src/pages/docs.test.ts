import t, { type Test } from 'tap';
import { silentLog } from '../core/log.ts';
import { NodeTransport } from '../http/node.ts';
import { createServer } from '../http/server.ts';
import { openBrowser, type Tab } from '../testing/chromium.ts';
import { startServer } from '../testing/server-process.ts';
import { docsPages } from './docs.ts';

const types: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
};

/** One body, with all that a row can say. */
const paths = {
  '/a': {
    post: {
      operationId: 'doA',
      requestBody: {
        content: {
          'application/json': {
            schema: {
              type: 'object',
              properties: {
                size: {
                  type: ['integer', 'null'],
                  minimum: 1,
                  maximum: 9,
                  default: 3,
                  description: 'How `big` <it> is.',
                  'x-support': 'honoured',
                },
                'odd"name': { type: 'string', 'x-support': 'echoed' },
                kind: {
                  enum: ['a', 'b', null],
                  default: 'a',
                  'x-support': 'refused',
                  'x-accepts': ['b'],
                  'x-reason': 'No "kinds".',
                },
                parts: {
                  type: 'array',
                  items: {
                    'x-tag': 'type',
                    anyOf: [
                      {
                        type: 'object',
                        properties: { text: { type: 'string', maxLength: 5, 'x-support': 'honoured' } },
                      },
                      {
                        type: 'object',
                        properties: { type: { const: 'image' } },
                        'x-support': 'refused',
                        'x-reason': 'Never.',
                      },
                    ],
                  },
                  'x-support': 'honoured',
                },
              },
            },
          },
        },
      },
    },
  },
};

void t.test('/docs/fields: a row for each field, nested ones and refused kinds included', async (t) => {
  const origin = await serveDocs(t);
  const answer = await fetch(`${origin}/docs/fields`);
  t.equal(answer.headers.get('content-type'), types['html']);
  const text = await answer.text();
  t.notMatch(text, /\{\{|https?:|<style|<script>| on\w+=| style=/, 'nothing inline, nothing of others');
  const rows = [...text.matchAll(/<tr data-field="([^"]*)" data-support="(\w+)">(.*)<\/tr>/g)];
  t.same(
    rows.map(([, name, support]) => [name, support]),
    [
      ['size', 'honoured'],
      ['odd&quot;name', 'echoed'],
      ['kind', 'refused'],
      ['parts', 'honoured'],
      ['parts[].text', 'honoured'],
      ['parts[] (image)', 'refused'],
    ],
  );
  const words = rows.map(([, , , html]) => html.replaceAll(/<[^>]*>/g, '|').replaceAll(/\|+/g, '|'));
  t.match(words[0], '|integer from 1 to 9|How |big| &lt;it> is. Default: |3|.|');
  t.match(words[2], '|a|, |b|No &quot;kinds&quot;. Default: |&quot;a&quot;|. Fine all the same: |&quot;b&quot;|.|');
  t.match(words[4], '|string of at most 5 characters|');
  t.match(words[5], 'Never.');
  for (const [, link] of text.matchAll(/ (?:href|src)="([^"]*)"/g)) {
    if (!link.endsWith('openapi.json'))
      t.equal((await fetch(new URL(link, `${origin}/docs/fields`))).status, 200, link);
  }
});

/** Just the page: a server without operations. */
async function serveDocs(t: Test): Promise<string> {
  const server = createServer({
    routes: [],
    operations: {},
    pages: docsPages({ version: '9.8.7 "<&', document: { paths, components: { schemas: {} } } }),
    transport: new NodeTransport(),
    log: silentLog,
    options: { host: '127.0.0.1', port: 0 },
  });
  const port = await server.listen();
  t.teardown(() => server.close());
  return `http://127.0.0.1:${port}`;
}

void t.test('/docs and /docs/: every part is there, of the right type, and from this server', async (t) => {
  const origin = await serveDocs(t);
  for (const path of ['/docs', '/docs/']) {
    const answer = await fetch(origin + path);
    t.equal(answer.status, 200);
    t.equal(answer.headers.get('content-type'), 'text/html; charset=utf-8');
    const text = await answer.text();
    t.match(text, '9.8.7 &quot;&lt;&amp;', 'the version, as text');
    t.notMatch(text, /\{\{|https?:|\/\/|<style|<script>| on\w+=| style=/, 'nothing inline, nothing of others');
    const links = [...text.matchAll(/ (?:href|src)="([^"]*)"/g)].map(([, link]) => new URL(link, origin + path));
    const others = [`${origin}/openapi.json`, `${origin}/docs/fields`];
    const parts = new Set(links.map(({ href }) => href).filter((href) => !others.includes(href)));
    for (const other of others) t.ok(links.some(({ href }) => href === other));
    t.equal(parts.size, 5);
    for (const part of parts) {
      const { status, headers } = await fetch(part);
      t.equal(status, 200, part);
      t.equal(headers.get('content-type'), types[part.slice(part.lastIndexOf('.') + 1)], part);
      t.equal(headers.get('x-content-type-options'), 'nosniff');
      t.equal(headers.get('referrer-policy'), 'no-referrer');
      const again = await fetch(part, { headers: { 'if-none-match': headers.get('etag') ?? '' } });
      t.equal(again.status, 304, `${part} is sent once`);
    }
  }
});

void t.test('what the page may do: nothing that is not listed, and nothing elsewhere', async (t) => {
  const origin = await serveDocs(t);
  const { headers } = await fetch(`${origin}/docs`);
  const policy = Object.fromEntries(
    (headers.get('content-security-policy') ?? '').split('; ').map((rule) => {
      const [name, ...sources] = rule.split(' ');
      return [name, sources];
    }),
  );
  t.same(policy, {
    'default-src': ["'none'"],
    'script-src': ["'self'"],
    'style-src': ["'self'"],
    'img-src': ["'self'", 'data:'],
    'connect-src': ["'self'"],
    'base-uri': ["'none'"],
    'form-action': ["'none'"],
    'frame-ancestors': ["'none'"],
  });
  const ours = await Promise.all(
    ['page.css', 'page.js'].map(async (name) => (await fetch(`${origin}/docs/${name}`)).text()),
  );
  for (const text of ours) t.notMatch(text, /https?:\/\/|@import|url\(/);
  const swagger = await (await fetch(`${origin}/docs/swagger-ui.css`)).text();
  const addresses = [...swagger.matchAll(/url\(["']?([^"')]{0,5})/g)].map(([, start]) => start);
  t.ok(addresses.length > 0);
  t.same(
    addresses.filter((start) => start !== 'data:'),
    [],
  );
  t.notMatch(swagger, '@import');
});

const chat = '#operations-Chat-createChatCompletion';

/** Writes the request and sends it, by the controls that people use. */
async function tryChat(tab: Tab, body: object): Promise<void> {
  await tab.until(`document.querySelector('${chat} .opblock-summary-control')`);
  await tab.evaluate(`document.querySelector('${chat} .opblock-summary-control').click()`);
  await tab.until(`document.querySelector('${chat} textarea')?.value.includes('messages')`);
  // React listens to the setter of the element's class, not to the attribute.
  await tab.evaluate(`{
    const area = document.querySelector('${chat} textarea');
    const { set } = Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, 'value');
    set.call(area, ${JSON.stringify(JSON.stringify(body))});
    area.dispatchEvent(new Event('input', { bubbles: true }));
  }`);
  await tab.evaluate(`document.querySelector('${chat} .execute').click()`);
  await tab.until(`document.querySelector('${chat} .live-responses-table tbody .response-col_status')`);
}

void t.test('in a browser', async (t) => {
  const browser = await openBrowser(t);
  if (browser === undefined) return;
  const { url } = await startServer(t);
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as { paths: Record<string, object> };

  await t.test('every operation is shown, and nobody else is asked', async (t) => {
    const tab = await browser.open();
    await tab.goTo(`${url}/docs`);
    await tab.until(`document.querySelector('.opblock')`);
    const wanted = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const shown = await tab.evaluate<string[]>(
      `[...document.querySelectorAll('.opblock')].map((block) =>
        block.querySelector('.opblock-summary-method').textContent + ' ' +
        block.querySelector('.opblock-summary-path').dataset.path)`,
    );
    t.same(shown.sort(), wanted.sort());
    const addresses = tab.requests.filter((address) => !address.startsWith('data:'));
    t.ok(addresses.length >= 7);
    t.same(
      addresses.filter((address) => !address.startsWith(`${url}/`)),
      [],
    );
    t.same(
      [...tab.statuses].filter(([address, status]) => !address.startsWith('data:') && status !== 200),
      [],
    );
    t.same(tab.complaints, [], 'no script failed, the policy refused nothing');
    t.equal(await tab.evaluate(`document.querySelector('#base').textContent`), `${url}/v1`);
    t.equal(await tab.evaluate(`document.querySelectorAll('a[href^="http"]:not([href^="${url}/"])').length`), 0);
  });

  await t.test('a request that is tried out is answered', async (t) => {
    const tab = await browser.open();
    await tab.goTo(`${url}/docs/`);
    await tryChat(tab, { messages: [{ role: 'user', content: 'who are you?' }], temperature: 0 });
    const answered = `${chat} .live-responses-table`;
    t.match(await tab.evaluate(`document.querySelector('${answered} tbody .response-col_status').textContent`), /^200/);
    t.match(
      await tab.evaluate(`document.querySelector('${answered} tbody .response-col_description').textContent`),
      /I am a tiny demo model/,
    );
    t.equal(tab.statuses.get(`${url}/v1/chat/completions`), 200);
    t.same(tab.complaints, []);
  });

  await t.test('it fits a telephone, and follows the system from light to dark', async (t) => {
    const tab = await browser.open({ width: 360, height: 700 });
    await tab.goTo(`${url}/docs`);
    await tryChat(tab, { messages: 'Hi', max_tokens: 1 });
    t.ok((await tab.evaluate<number>('document.documentElement.scrollWidth')) <= 360);
    const background = (): Promise<string> => tab.evaluate('getComputedStyle(document.body).backgroundColor');
    t.equal(await background(), 'rgb(251, 251, 250)');
    await tab.setScheme('dark');
    await tab.until(`document.documentElement.classList.contains('dark-mode')`);
    t.equal(await background(), 'rgb(20, 21, 23)');
  });
});
