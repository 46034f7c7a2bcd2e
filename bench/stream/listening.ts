// The listening side of `bench stream`, in a thread of its own: streamed chat completions over sockets, and when the bytes of each piece came.

import { connect } from 'node:net';
import { parentPort } from 'node:worker_threads';
import { AnswerParser } from '../../conformance/answer.ts';
import { EventParser } from '../../conformance/events.ts';
import { hurry } from '../urgent.ts';

export interface Listening {
  readonly port: number;
  readonly model: string;
  /** At once; each is followed by another one until the time is up. */
  readonly streams: number;
  readonly maxTokens: number;
  readonly ms: number;
}

/** Request -> nanoseconds (of the clock of all processes) at which each piece of text arrived. */
export type Arrivals = ReadonlyMap<string, readonly bigint[]>;

async function listen({ streams, ms, ...how }: Listening): Promise<Arrivals> {
  const arrivals = new Map<string, bigint[]>();
  const until = performance.now() + ms;
  const user = async (number: number): Promise<void> => {
    for (let round = 0; performance.now() < until; round++) await ask(how, number * 1000 + round, until, arrivals);
  };
  await Promise.all(Array.from({ length: streams }, (_, number) => user(number)));
  return arrivals;
}

type How = Pick<Listening, 'port' | 'model' | 'maxTokens'>;

interface Piece {
  readonly at: bigint;
  readonly bytes: Buffer;
}

/** One stream, to its end or until the time is up. What came is only read when it is over: this thread has better things to do meanwhile. */
async function ask(how: How, seed: number, until: number, arrivals: Map<string, bigint[]>): Promise<void> {
  const body = JSON.stringify({
    model: how.model,
    messages: [{ role: 'user', content: `Tell me story number ${seed}.` }],
    temperature: 1,
    seed,
    max_tokens: how.maxTokens,
    stream: true,
  });
  const head = `POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:${how.port}\r\ncontent-type: application/json\r\n`;
  const answer = new AnswerParser('POST');
  const events = new EventParser();
  const request = `${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  for (const { at, bytes } of await collect(how.port, request, until)) {
    for (const part of answer.push(bytes)) {
      if (part.type === 'head' && part.head.status !== 200) throw new Error(`the server answered ${bytes.toString()}`);
      if (part.type === 'chunk') for (const { data } of events.push(part.bytes)) note(data, at, arrivals);
    }
  }
}

function collect(port: number, request: string, until: number): Promise<Piece[]> {
  return new Promise((resolve, reject) => {
    const pieces: Piece[] = [];
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    socket.on('data', (bytes) => {
      pieces.push({ at: process.hrtime.bigint(), bytes });
      // An answer that is no stream is over sooner, and then the time ends it.
      if (!bytes.subarray(-lastChunk.length).equals(lastChunk) && performance.now() < until) return;
      socket.destroy();
      resolve(pieces);
    });
    socket.on('error', reject);
    socket.on('end', () => resolve(pieces));
    socket.write(request);
  });
}

const lastChunk = Buffer.from('0\r\n\r\n');

function note(data: string, at: bigint, arrivals: Map<string, bigint[]>): void {
  if (data === '[DONE]') return;
  const chunk = JSON.parse(data) as {
    readonly id: string;
    readonly choices: readonly { readonly delta?: { readonly content?: string | null } }[];
  };
  const content = chunk.choices[0]?.delta?.content ?? '';
  if (content === '') return;
  const known = arrivals.get(chunk.id);
  if (known === undefined) arrivals.set(chunk.id, [at]);
  else known.push(at);
}

const isUrgent = hurry();

parentPort?.on('message', (wanted: Listening) => {
  listen(wanted).then(
    (arrivals) => parentPort?.postMessage({ arrivals, isUrgent }),
    (error: unknown) => parentPort?.postMessage({ error: String(error) }),
  );
});
