// wllama (llama.cpp in WASM), installed by the user outside this project: $WLLAMA is the folder of the package. It is made for browsers, so it
// runs in a headless Chromium, with the two headers without which it would have one thread.

import { createReadStream, existsSync, readFileSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, sep } from 'node:path';
import { Browser, findChromium } from '../../src/testing/chromium.ts';
import type { AbsentPeer, Measurement, Peer, Work } from './peer.ts';

export function wllama(env: NodeJS.ProcessEnv): Peer | AbsentPeer {
  const name = 'wllama';
  const folder = env['WLLAMA'];
  if (folder === undefined) return { name, missing: 'set WLLAMA to the folder of the package' };
  if (!existsSync(join(folder, 'esm', 'index.js'))) return { name, missing: `WLLAMA has no ${folder}/esm/index.js` };
  const chromium = findChromium();
  if (chromium === undefined) return { name, missing: 'it needs a Chromium (set CHROMIUM to one)' };
  return { name, measure: (work) => measure(folder, chromium, work) };
}

async function measure(folder: string, chromium: string, work: Work): Promise<Measurement> {
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { readonly version: string };
  const server = createServer((request, response) => serve(request, response, { folder, model: work.model }));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const browser = new Browser(chromium);
  try {
    const tab = await browser.open();
    await tab.goTo(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await tab.until('document.title === "ready"');
    const timings = await tab.evaluate<Timings>(`(${runInPage})(${JSON.stringify(work)})`);
    const product = await browser.send('Browser.getVersion');
    return {
      prefill_tok_s: timings.prompt_per_second,
      decode_tok_s: timings.predicted_per_second,
      version: `${version} as published, flash attention, ${(product as { product: string }).product}`,
    };
  } finally {
    await browser.close();
    server.closeAllConnections();
    server.close();
  }
}

/** As llama-server tells them. */
interface Timings {
  readonly prompt_per_second: number;
  readonly predicted_per_second: number;
}

/**
 * Flash attention is on by itself. Prompts are texts, since version 3.8 breaks on lists of ids; a first, short one warms it and tells how many
 * tokens a word has. One ASCII token is favoured: it cannot return a text that ends within a character either.
 */
const runInPage = `async ({ threads, prompt, gen }) => {
  const { Wllama } = await import('/package/esm/index.js');
  const wllama = new Wllama({ default: '/package/esm/wasm/wllama.wasm' }, { suppressNativeLog: true });
  const file = await (await fetch('/model.gguf')).blob();
  const limits = { n_ctx: 2 * prompt + gen + 64, n_batch: 512, n_ubatch: 512, n_parallel: 1 };
  await wllama.loadModel([file], { ...limits, n_threads: threads, n_gpu_layers: 0 });
  if (wllama.getNumThreads() !== threads) throw new Error('it runs ' + wllama.getNumThreads() + ' threads');
  const complete = (text, max_tokens) =>
    wllama.createCompletion({ prompt: text, max_tokens, temperature: 0, logit_bias: { 33: 1000 } });
  const { usage } = await complete('lamp '.repeat(8), 8);
  const { timings } = await complete('tree '.repeat(Math.max(1, Math.round((8 * prompt) / usage.prompt_tokens))), gen);
  await wllama.exit();
  if (timings.prompt_n < 0.8 * prompt || timings.predicted_n < gen - 1) throw new Error('it did less than it was asked for');
  return timings;
}`;

const types: Readonly<Record<string, string>> = {
  '.js': 'text/javascript',
  '.wasm': 'application/wasm',
};

interface Files {
  readonly folder: string;
  readonly model: string;
}

function serve(request: IncomingMessage, response: ServerResponse, { folder, model }: Files): void {
  response.setHeader('cross-origin-opener-policy', 'same-origin');
  response.setHeader('cross-origin-embedder-policy', 'require-corp');
  const { pathname } = new URL(request.url ?? '/', 'http://127.0.0.1');
  if (pathname === '/') {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>ready</title>');
    return;
  }
  const inPackage = join(folder, decodeURIComponent(pathname.replace(/^\/package\//, '')));
  const path = pathname === '/model.gguf' ? model : inPackage;
  const isServed = path === model || (pathname.startsWith('/package/') && path.startsWith(join(folder, sep)));
  if (!isServed || !existsSync(path)) {
    response.writeHead(404).end();
    return;
  }
  const type = types[extname(path)] ?? 'application/octet-stream';
  response.writeHead(200, { 'content-type': type, 'content-length': statSync(path).size });
  createReadStream(path).pipe(response);
}
