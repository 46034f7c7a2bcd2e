// Transport over uWebSockets.js, wherever its binary loads. What its parser refuses (broken requests, HTTP/1.0, large headers) is answered by the
// parser itself, with a page in HTML; README.md lists the differences.

import { lookup } from 'node:dns/promises';
import { createServer } from 'node:net';
import type { HttpRequest, HttpResponse, ListenSocket, TemplatedApp, UwsModule } from 'uWebSockets.js';
import { UwsExchange } from './uws-exchange.ts';
import type { Exchange, ListenOptions, Transport } from './transport.ts';

/** Read by the binary when it is loaded, once per process. */
const maxHeaderBytes = 65_536;

/** One package per Node major; npm installs the one that fits. The first name may also be the upstream package. */
const packages: readonly (() => Promise<{ readonly default: UwsModule }>)[] = [
  () => import('uWebSockets.js'),
  () => import('uWebSockets.js-22'),
  () => import('uWebSockets.js-24'),
];

export type LoadedUws = { readonly module: UwsModule } | { readonly module: undefined; readonly reason: string };

/** The first binary that loads here, or why there is none. */
export async function loadUws(imports = packages): Promise<LoadedUws> {
  process.env['UWS_HTTP_MAX_HEADERS_SIZE'] = String(maxHeaderBytes);
  const [major] = process.versions.node.split('.');
  let reason = `no uWebSockets.js for Node ${major} on ${process.platform}-${process.arch}`;
  for (const load of imports) {
    try {
      const { default: module } = await load();
      // No `uWebSockets: 20` in answers.
      module._cfg('silent');
      return { module };
    } catch (error) {
      reason = whyNotLoaded(error) ?? reason;
    }
  }
  return { module: undefined, reason };
}

/** `undefined`: there is nothing to load. */
function whyNotLoaded(error: unknown): string | undefined {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND') return undefined;
  if (/NODE_MODULE_VERSION|did not self-register/.test(message)) {
    return `uWebSockets.js is installed for another Node than ${process.versions.node}: npm install`;
  }
  return `uWebSockets.js does not load: ${message.split('\n')[0]}`;
}

export class UwsTransport implements Transport {
  readonly name = 'uws';
  readonly #uws: UwsModule;
  readonly #exchanges = new Set<UwsExchange>();
  #app: TemplatedApp | undefined;
  #socket: ListenSocket | undefined;
  #isDraining = false;
  #drained: (() => void)[] = [];

  constructor(uws: UwsModule) {
    this.#uws = uws;
  }

  async listen(options: ListenOptions, handle: (exchange: Exchange) => void): Promise<number> {
    if (options.maxHeaderBytes !== maxHeaderBytes) {
      throw new RangeError(
        `the header limit of uWebSockets.js is ${maxHeaderBytes} bytes, not ${options.maxHeaderBytes}`,
      );
    }
    // Names are resolved as node does it, and not on the event loop.
    const { address } = await lookup(options.host);
    const app = this.#uws.App();
    app.any('/*', (response, request) => this.#requested(response, request, options, handle));
    this.#app = app;
    const socket = open(app, address, options.port, this.#uws.LIBUS_LISTEN_EXCLUSIVE_PORT);
    if (socket === undefined) {
      await this.close();
      throw await whyNot(address, options.port);
    }
    this.#socket = socket;
    process.once('exit', this.#closeNow);
    return this.#uws.us_socket_local_port(socket);
  }

  drain(): Promise<void> {
    this.#isDraining = true;
    this.#stopListening();
    return new Promise((resolve) => {
      this.#drained.push(resolve);
      this.#settle();
    });
  }

  async close(): Promise<void> {
    this.#closeNow();
  }

  get isClosing(): boolean {
    return this.#isDraining;
  }

  ended(exchange: UwsExchange): void {
    this.#exchanges.delete(exchange);
    this.#settle();
  }

  #requested(
    response: HttpResponse,
    request: HttpRequest,
    { refuse }: ListenOptions,
    handle: (exchange: Exchange) => void,
  ): void {
    const exchange = new UwsExchange(response, request, this);
    const { fault } = exchange;
    if (fault === undefined) handle(exchange);
    else {
      // Not at once: bytes behind a request of doubtful length must not be read as another one. While this one waits for its answer, the
      // parser cuts the connection instead.
      setImmediate(() => exchange.refuse(fault, refuse(fault)));
    }
    if (exchange.keep()) this.#exchanges.add(exchange);
  }

  #stopListening(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket !== undefined) this.#uws.us_listen_socket_close(socket);
  }

  /** Also at the end of the process: a binary that still has sockets aborts there. */
  readonly #closeNow = (): void => {
    process.off('exit', this.#closeNow);
    this.#stopListening();
    const app = this.#app;
    this.#app = undefined;
    app?.close();
  };

  #settle(): void {
    if (!this.#isDraining || this.#exchanges.size > 0) return;
    // Later: the last answer may still be in the cork buffer of the callback that we are in.
    setImmediate(() => {
      if (this.#exchanges.size > 0) return;
      // The idle connections: they cannot be told from others before.
      this.#closeNow();
      for (const resolve of this.#drained.splice(0)) resolve();
    });
  }
}

function open(app: TemplatedApp, host: string, port: number, options: number): ListenSocket | undefined {
  let socket: ListenSocket | undefined;
  app.listen(host, port, options, (token) => {
    if (token !== false) socket = token;
  });
  return socket;
}

/** uWebSockets.js only says that it cannot listen; the system says why. */
function whyNot(host: string, port: number): Promise<Error> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', resolve);
    probe.listen({ host, port }, () => {
      probe.close(() => resolve(new Error(`uWebSockets.js cannot listen on ${host} port ${port}`)));
    });
  });
}
