// The methods of uWebSockets.js (v20) that `uws*.ts` use. The packages in the registry carry no types; an upstream package that the user
// installed under the same name carries more than these.

declare module 'uWebSockets.js' {
  export interface HttpRequest {
    /** Valid until the handler returns. */
    getCaseSensitiveMethod(): string;
    getUrl(): string;
    /** `undefined` without a question mark. */
    getQuery(): string | undefined;
    /** Names in lower case, in the order of the request; repeated headers one by one. */
    forEach(each: (name: string, value: string) => void): void;
  }

  export interface HttpResponse {
    /** Written as it is behind the version, before the first header: further lines are headers. */
    writeStatus(status: string | Uint8Array): HttpResponse;
    /** Written as it is: names and values must have been checked. */
    writeHeader(name: string, value: string): HttpResponse;
    /** One chunk of a chunked body; the first one sends the headers. `false`: it was buffered, the reader is behind. */
    write(chunk: string | Uint8Array): boolean;
    /** The whole body or the rest of a chunked one. The response must not be touched afterwards. */
    end(body?: string | Uint8Array, closeConnection?: boolean): HttpResponse;
    /** As much of the body as the socket takes; `[everything was taken, the response is done]`. */
    tryEnd(body: Uint8Array, totalBytes: number): [boolean, boolean];
    /** No body, and no `Content-Length` but one written as a header before. */
    endWithoutBody(): HttpResponse;
    /** Bytes of the body taken by the socket so far (`tryEnd`). */
    getWriteOffset(): number;
    /** Whatever is written in the callback leaves in one piece (up to 16 KiB); flushes what was buffered, too. */
    cork(callback: () => void): HttpResponse;
    /** The socket can take more. Must say `true`, or `false` if a write in it was not taken as a whole. */
    onWritable(callback: (offset: number) => boolean): HttpResponse;
    /** The socket went away before the response was done. The response must not be touched afterwards. */
    onAborted(callback: () => void): HttpResponse;
    /** Called at least once, with `isLast` at the end. The chunk is gone when the callback returns. */
    onData(callback: (chunk: ArrayBuffer, isLast: boolean) => void): HttpResponse;
    /** Stops reading from the socket; goes away unnoticed meanwhile. */
    pause(): HttpResponse;
    resume(): HttpResponse;
    /** 4 or 16 bytes. */
    getRemoteAddress(): ArrayBuffer;
  }

  export interface ListenSocket {
    readonly uwsListenSocket: never;
  }

  export interface TemplatedApp {
    any(pattern: string, handler: (response: HttpResponse, request: HttpRequest) => void): TemplatedApp;
    listen(host: string, port: number, options: number, callback: (socket: ListenSocket | false) => void): TemplatedApp;
    /** Closes every socket, listening and connected, at once. */
    close(): TemplatedApp;
  }

  export interface UwsModule {
    App(): TemplatedApp;
    us_listen_socket_close(socket: ListenSocket): void;
    us_socket_local_port(socket: ListenSocket): number;
    /** Without it several processes may share a port unawares. */
    readonly LIBUS_LISTEN_EXCLUSIVE_PORT: number;
    _cfg(key: 'silent'): void;
  }

  const uws: UwsModule;
  export default uws;
}

declare module 'uWebSockets.js-22' {
  export { default } from 'uWebSockets.js';
}

declare module 'uWebSockets.js-24' {
  export { default } from 'uWebSockets.js';
}
