// The asking side of `bench http`, in a thread of its own: connections that are kept, each with one request under way.

import { connect, type Socket } from 'node:net';
import { parentPort } from 'node:worker_threads';

export interface Load {
  readonly port: number;
  /** Bytes of one request. */
  readonly request: string;
  readonly connections: number;
  readonly warmUpMs: number;
  readonly ms: number;
}

export interface LoadResult {
  readonly answers: number;
  /** With those of the warm-up. */
  readonly allAnswers: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const lastChunk = '0\r\n\r\n';

async function load({ port, request, connections, warmUpMs, ms }: Load): Promise<LoadResult> {
  const bytes = Buffer.from(request);
  const times: number[] = [];
  let isMeasured = false;
  let allAnswers = 0;
  const sockets = await Promise.all(Array.from({ length: connections }, () => open(port)));
  const failed = new Promise<never>((_, reject) => {
    for (const socket of sockets) {
      socket.on('close', () => reject(new Error('the server closed a connection')));
      askAgain(
        socket,
        bytes,
        (tookMs) => {
          allAnswers++;
          if (isMeasured) times.push(tookMs);
        },
        reject,
      );
    }
  });
  const wait = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));
  await Promise.race([wait(warmUpMs), failed]);
  isMeasured = true;
  const from = performance.now();
  await Promise.race([wait(ms), failed]);
  isMeasured = false;
  const seconds = (performance.now() - from) / 1000;
  for (const socket of sockets) socket.removeAllListeners('close').destroy();
  times.sort((a, b) => a - b);
  const at = (share: number): number =>
    times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Number.NaN;
  return { answers: times.length, allAnswers, seconds, p50Ms: at(0.5), p99Ms: at(0.99) };
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    socket.once('connect', () => resolve(socket));
    socket.once('error', reject);
  });
}

/** Sends the request, waits for the whole answer, and so on. Answers of one length are told by their bytes, chunked ones by their last chunk. */
function askAgain(
  socket: Socket,
  request: Uint8Array,
  answered: (tookMs: number) => void,
  fail: (error: Error) => void,
): void {
  let length: number | undefined;
  let received = 0;
  let head = '';
  let tail = '';
  let from = performance.now();
  socket.on('data', (piece: Buffer) => {
    received += piece.length;
    if (length === undefined) {
      head += piece.toString('latin1');
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return;
      if (!/^HTTP\/1.1 200 /.test(head)) fail(new Error(`the server answered ${head.slice(0, 300)}`));
      const declared = /content-length: (\d+)/i.exec(head.slice(0, end))?.[1];
      length = declared === undefined ? Number.POSITIVE_INFINITY : end + 4 + Number(declared);
    }
    if (length === Number.POSITIVE_INFINITY) {
      tail = (tail + piece.toString('latin1', Math.max(0, piece.length - lastChunk.length))).slice(-lastChunk.length);
      if (tail !== lastChunk) return;
    } else if (received < length) return;
    const now = performance.now();
    answered(now - from);
    from = now;
    received = 0;
    tail = '';
    socket.write(request);
  });
  socket.write(request);
}

parentPort?.on('message', (wanted: Load) => {
  load(wanted).then(
    (result) => parentPort?.postMessage({ result }),
    (error: unknown) => parentPort?.postMessage({ error: String(error) }),
  );
});
