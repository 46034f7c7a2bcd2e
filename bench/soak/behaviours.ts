// What users do to a server: ask and listen, listen slowly, hang up, reset the connection, stop in the middle of a request, ask for too much.

import type { Socket } from 'node:net';
import { chat, type ChatAnswer } from '../client/chat.ts';
import { ExchangeError, type HttpClient } from '../client/http.ts';
import type { Random } from '../random.ts';
import type { FirstAnswers } from './answers.ts';
import type { SeededRequest } from './requests.ts';

export interface World {
  readonly client: HttpClient;
  readonly random: Random;
  readonly requests: readonly SeededRequest[];
  readonly answers: FirstAnswers;
  readonly pause: (ms: number) => Promise<void>;
}

/** `lost`: the engine was gone. `unexpected`: the words are counted. */
export type Outcome = 'answered' | 'hung up' | 'refused' | 'rejected' | 'lost' | { readonly unexpected: string };

export type Behaviour = (world: World) => Promise<Outcome>;

/** Each as often as its weight says. */
export function pickBehaviour(random: Random): Behaviour {
  let left = random.below(totalWeight);
  for (const [weight, behaviour] of behaviours) {
    left -= weight;
    if (left < 0) return behaviour;
  }
  return ask;
}

const ask: Behaviour = async (world) => {
  const { key, body } = world.random.pick(world.requests);
  return judge(world, key, await chat(world.client, body));
};

const listen: Behaviour = async (world) => {
  const { key, body } = streamed(world);
  return judge(world, key, await chat(world.client, body));
};

const listenSlowly: Behaviour = async (world) => {
  const { key, body } = streamed(world);
  const { random, client } = world;
  const ms = 100 + random.below(1500);
  let left = 3;
  const onPiece = (_: number, socket: Socket): void => {
    if (left === 0 || random.below(8) > 0 || socket.isPaused()) return;
    left--;
    socket.pause();
    setTimeout(() => socket.resume(), ms);
  };
  return judge(world, key, await chat(client, body, { onPiece }));
};

/** Before the first token, or somewhere in the answer. */
const hangUp: Behaviour = async (world) => {
  const { key, body } = streamed(world);
  const { random, client } = world;
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), random.below(2) === 0 ? random.below(60) : 60_000);
  const last = 1 + random.below(12);
  const onPiece = (count: number): void => {
    if (count === last) abort.abort();
  };
  const answer = await chat(client, body, { signal: abort.signal, onPiece });
  clearTimeout(timer);
  return judge(world, key, answer, abort.signal.aborted);
};

/** Hanging up an answer in one piece is heard of only by the end of the connection. */
const hangUpWhole: Behaviour = async (world) => {
  const { key, body } = world.random.pick(world.requests);
  const signal = AbortSignal.timeout(1 + world.random.below(80));
  const answer = await chat(world.client, body, { signal });
  return judge(world, key, answer, signal.aborted);
};

const reset: Behaviour = async (world) => {
  const { key, body } = streamed(world);
  const last = 1 + world.random.below(6);
  let isReset = false;
  const onPiece = (count: number, socket: Socket): void => {
    if (count !== last) return;
    isReset = true;
    socket.resetAndDestroy();
  };
  return judge(world, key, await chat(world.client, body, { onPiece }), isReset);
};

const stopWithinRequest: Behaviour = async ({ client, random, requests, pause }) => {
  const bytes = client.encode({ method: 'POST', path: 'chat/completions', body: random.pick(requests).body });
  const socket = await client.connect();
  socket.on('error', () => undefined);
  socket.write(bytes.slice(0, 1 + random.below(bytes.length - 1)));
  await pause(random.below(300));
  if (random.below(2) === 0) socket.resetAndDestroy();
  else socket.destroy();
  return 'hung up';
};

const askTooMuch: Behaviour = async ({ client, random, requests }) => {
  const { body } = random.pick(requests);
  const content = 'lantern '.repeat(200_000);
  const answer = await chat(client, { ...body, messages: [{ role: 'user', content }], max_tokens: 1 });
  return rejection(answer);
};

const askForNonsense: Behaviour = async ({ client, random, requests }) => {
  const { body } = random.pick(requests);
  const nonsense = random.pick([{ temperature: 9 }, { messages: [] }, { max_tokens: 'many' }, { stream: 'yes' }]);
  return rejection(await chat(client, { ...body, ...nonsense } as typeof body));
};

/** More bytes than a server should take are announced, and a few of them sent. */
const announceTooMuch: Behaviour = async ({ client, random, requests }) => {
  const bytes = client.encode({ method: 'POST', path: 'chat/completions', body: random.pick(requests).body });
  return await rejectedBytes(client, bytes.replace(/content-length: \d+/, `content-length: ${2 ** 40}`));
};

const sendBrokenJson: Behaviour = async ({ client, random, requests }) => {
  const bytes = client.encode({ method: 'POST', path: 'chat/completions', body: random.pick(requests).body });
  return await rejectedBytes(client, bytes.replace('{"model"', '["model"'));
};

const behaviours: readonly (readonly [number, Behaviour])[] = [
  [25, ask],
  [25, listen],
  [5, listenSlowly],
  [12, hangUp],
  [6, hangUpWhole],
  [6, reset],
  [5, stopWithinRequest],
  [3, askTooMuch],
  [3, askForNonsense],
  [2, announceTooMuch],
  [3, sendBrokenJson],
];

const totalWeight = behaviours.reduce((sum, [weight]) => sum + weight, 0);

function streamed({ random, requests }: World): SeededRequest {
  const { key, body } = random.pick(requests);
  return { key, body: { ...body, stream: true, stream_options: { include_usage: true } } };
}

function judge({ answers }: World, key: number, answer: ChatAnswer, isOurDoing = false): Outcome {
  const { failure, code, status, headers } = answer;
  if (failure === undefined) {
    answers.check(key, answer);
    return 'answered';
  }
  answers.checkBeginning(key, answer);
  if (isOurDoing) return 'hung up';
  if (status === 429)
    return headers['retry-after'] === undefined ? { unexpected: '429 without retry-after' } : 'refused';
  if (isLoss(answer)) return 'lost';
  return { unexpected: code === undefined ? failure : `${failure} ${code}` };
}

/** Of a server whose engine is gone, or does not answer yet. */
function isLoss({ status, code }: ChatAnswer): boolean {
  return status === 503 || code?.startsWith('engine_') === true;
}

function rejection(answer: ChatAnswer): Outcome {
  const { status = 0, failure } = answer;
  if (status >= 400 && status < 500) return 'rejected';
  if (isLoss(answer)) return 'lost';
  return { unexpected: `${failure ?? 'an answer'} to a request that cannot be answered` };
}

/** Sends what no client would, and waits for the refusal or the end of the connection. */
async function rejectedBytes(client: HttpClient, bytes: string): Promise<Outcome> {
  const socket = await client.connect();
  try {
    const status = await new Promise<number>((resolve, reject) => {
      let text = '';
      socket.setTimeout(60_000, () => reject(new ExchangeError('timeout')));
      socket.on('error', () => resolve(0));
      socket.on('close', () => resolve(0));
      socket.on('data', (piece: Buffer) => {
        text += piece.toString('latin1');
        const found = /^HTTP\/1\.1 (\d{3}) [\s\S]*\r\n\r\n/.exec(text)?.[1];
        if (found !== undefined) resolve(Number(found));
      });
      socket.write(bytes);
    });
    if (status === 0 || (status >= 400 && status < 500)) return 'rejected';
    return status === 503 ? 'lost' : { unexpected: `status ${status} to broken bytes` };
  } finally {
    socket.destroy();
  }
}
