// A headless Chromium for tests of pages, driven by its DevTools protocol over two pipes: no port, no package. Where none is installed
// such tests skip and are counted.

import { spawn, type ChildProcess } from 'node:child_process';
import { accessSync, constants, mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import type { Test } from 'tap';

export interface TabOptions {
  /** CSS pixels. */
  readonly width?: number;
  readonly height?: number;
  readonly scheme?: 'light' | 'dark';
}

/** `$CHROMIUM`, or the first of the usual names on the path. */
export function findChromium(): string | undefined {
  const named = process.env['CHROMIUM'];
  if (named !== undefined && named !== '') return named;
  return findProgram('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable');
}

/** The first of these names on the path. */
export function findProgram(...names: readonly string[]): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** `undefined`, and the test skipped, where there is no Chromium. It ends with the test. */
export async function openBrowser(t: Test): Promise<Browser | undefined> {
  const program = findChromium();
  if (program === undefined) {
    void t.skip('no Chromium on the path (set CHROMIUM to one)', () => undefined);
    return undefined;
  }
  const browser = new Browser(program);
  t.teardown(() => browser.close());
  return browser;
}

const flags = [
  '--headless',
  '--remote-debugging-pipe',
  // Its sandbox neither runs as root nor in most containers; the pages are ours.
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-extensions',
  '--disable-sync',
  '--no-default-browser-check',
  '--no-first-run',
  // Whatever a page may ask for outside is not even looked up.
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
];

type Message = Readonly<Record<string, unknown>> & {
  readonly id?: number;
  readonly method?: string;
  readonly sessionId?: string;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
};

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class Browser {
  readonly #child: ChildProcess;
  readonly #profile = mkdtempSync(join(tmpdir(), 'tramontane-chromium-'));
  readonly #gone: Promise<void>;
  readonly #waiting = new Map<number, Waiting>();
  readonly #tabs = new Map<string, Tab>();
  #nextId = 1;
  #rest = '';

  constructor(program: string) {
    const args = [...flags, `--user-data-dir=${this.#profile}`];
    this.#child = spawn(program, args, {
      env: { ...process.env, NODE_OPTIONS: '' },
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    });
    this.#gone = new Promise((resolve) => {
      const end = (): void => {
        for (const { reject } of this.#waiting.values()) reject(new Error('Chromium ended'));
        this.#waiting.clear();
        resolve();
      };
      this.#child.once('error', end);
      this.#child.once('close', end);
    });
    const output = this.#child.stdio[4] as Readable;
    output.setEncoding('utf8').on('data', (text: string) => this.#receive(text));
    for (const stream of [this.#child.stdio[3], output]) stream?.on('error', () => undefined);
  }

  async open(options: TabOptions = {}): Promise<Tab> {
    const { targetId } = (await this.send('Target.createTarget', { url: 'about:blank' })) as { targetId: string };
    const attached = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const { sessionId } = attached as { sessionId: string };
    const tab = new Tab((method, params) => this.send(method, params, sessionId));
    this.#tabs.set(sessionId, tab);
    await tab.prepare(options);
    return tab;
  }

  send(method: string, params: object = {}, sessionId?: string): Promise<unknown> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      (this.#child.stdio[3] as Writable).write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
  }

  async close(): Promise<void> {
    // Asked first: killed at once it leaves children that still write to the profile.
    void this.send('Browser.close').catch(() => undefined);
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5000);
    await this.#gone;
    clearTimeout(timer);
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 20 });
  }

  /** Messages end with a zero. */
  #receive(text: string): void {
    const parts = (this.#rest + text).split('\0');
    this.#rest = parts.pop() ?? '';
    for (const part of parts) this.#take(JSON.parse(part) as Message);
  }

  #take({ id, method, params, sessionId, result, error }: Message): void {
    if (id === undefined) {
      if (method !== undefined && sessionId !== undefined) this.#tabs.get(sessionId)?.hear(method, params);
      return;
    }
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(error.message));
  }
}

/** The parts of the protocol's events that are read here. */
interface Events {
  readonly 'Network.requestWillBeSent': { readonly request: { readonly url: string; readonly method: string } };
  readonly 'Network.responseReceived': { readonly response: { readonly url: string; readonly status: number } };
  readonly 'Log.entryAdded': { readonly entry: { readonly level: string; readonly text: string } };
  readonly 'Runtime.exceptionThrown': {
    readonly exceptionDetails: { readonly text: string; readonly exception?: { readonly description?: string } };
  };
}

export class Tab {
  /** Every address that was asked for, in order. */
  readonly requests: string[] = [];
  readonly statuses = new Map<string, number>();
  /** Errors of scripts, refusals of the page's policy, failed requests. */
  readonly complaints: string[] = [];
  readonly #send: (method: string, params?: object) => Promise<unknown>;

  constructor(send: (method: string, params?: object) => Promise<unknown>) {
    this.#send = send;
  }

  async prepare({ width = 1280, height = 900, scheme = 'light' }: TabOptions): Promise<void> {
    for (const domain of ['Page', 'Network', 'Runtime', 'Log']) await this.#send(`${domain}.enable`);
    await this.#send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false });
    await this.setScheme(scheme);
    // Tabs behind others draw and run timers when they please.
    await this.#send('Page.bringToFront');
  }

  async setScheme(value: 'light' | 'dark'): Promise<void> {
    await this.#send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value }] });
  }

  async goTo(url: string): Promise<void> {
    await this.#send('Page.navigate', { url });
  }

  /** The value of an expression in the page; promises are awaited. */
  async evaluate<T>(expression: string): Promise<T> {
    const options = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = (await this.#send('Runtime.evaluate', options)) as {
      result: { value: T };
      exceptionDetails?: Events['Runtime.exceptionThrown']['exceptionDetails'];
    };
    if (exceptionDetails !== undefined) {
      throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    }
    return result.value;
  }

  /** Resolves as soon as the expression is truthy. */
  async until(expression: string, timeoutMs = 60_000): Promise<void> {
    const from = performance.now();
    for (;;) {
      if (await this.evaluate<boolean>(`Boolean(${expression})`)) return;
      if (performance.now() - from > timeoutMs) throw new Error(`not so after ${timeoutMs / 1000} s: ${expression}`);
      await this.evaluate('new Promise((resolve) => setTimeout(resolve, 50))');
    }
  }

  /** What is seen, as a PNG. */
  async screenshot(path: string): Promise<void> {
    const options = { format: 'png' };
    const { data } = (await this.#send('Page.captureScreenshot', options)) as { data: string };
    writeFileSync(path, Buffer.from(data, 'base64'));
  }

  hear(method: string, params: unknown): void {
    if (isEvent('Network.requestWillBeSent', method, params)) this.requests.push(params.request.url);
    if (isEvent('Network.responseReceived', method, params)) {
      this.statuses.set(params.response.url, params.response.status);
    }
    if (isEvent('Log.entryAdded', method, params) && params.entry.level === 'error') {
      this.complaints.push(params.entry.text);
    }
    if (isEvent('Runtime.exceptionThrown', method, params)) {
      const { exception, text } = params.exceptionDetails;
      this.complaints.push(exception?.description ?? text);
    }
  }
}

function isEvent<Name extends keyof Events>(name: Name, method: string, params: unknown): params is Events[Name] {
  return method === name && typeof params === 'object';
}
