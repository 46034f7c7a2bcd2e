// Several requests on one connection, several connections at once, and a caller who goes away.

import type { Answer, Connection } from '../client.ts';
import { show, valueAt } from '../expect.ts';
import type { Request } from '../request.ts';
import { answerText, isTrue, Skip, succeed, usable } from './scene.ts';
import type { Scene } from './scene.ts';

/** Two requests on one connection; with `fail` a bad one in between. */
export async function keepAlive(scene: Scene): Promise<string[]> {
  const fail = isTrue(scene.parameters, 'fail');
  const connection = await scene.client.connect();
  try {
    if (closes(await connection.send(scene.request()))) {
      if (fail) throw new Skip('the server keeps no connection at all');
      return ['the server closes the connection after one answer'];
    }
    if (fail && closes(await connection.send(scene.request({ with: { messages: 5 } })))) {
      return ['the server closes the connection after a refused request'];
    }
    const last = await connection.send(scene.request());
    return last.status === 200 ? [] : [`the last answer must be 200, is ${last.status}: ${last.text.slice(0, 200)}`];
  } finally {
    connection.close();
  }
}

function closes(answer: Answer): boolean {
  return /\bclose\b/i.test(answer.headers['connection'] ?? '');
}

/**
 * Requests sent before the answers to earlier ones: answered in their order, as far as the server does not close the connection; with `all`
 * it must not.
 */
export async function pipelined(scene: Scene): Promise<string[]> {
  const limits = [4, 1, 2];
  const requests = limits.map((limit) => scene.request({ with: { max_tokens: limit } }));
  const alone: Answer[] = [];
  for (const request of requests) alone.push(await scene.client.send(request));
  if (alone.some(closes)) throw new Skip('the server keeps no connection at all');
  const answers = await answeredOf(scene, requests);
  if (isTrue(scene.parameters, 'all')) {
    return answers.length === limits.length
      ? []
      : [`of ${limits.length} requests ${answers.length} are answered, then the connection is closed`];
  }
  const counts = (list: readonly Answer[]): string => show(list.map((answer) => valueAt(usable(answer).json, 'usage')));
  const [expected, got] = [counts(alone.slice(0, answers.length)), counts(answers)];
  if (expected !== got)
    return [`max_tokens ${show(limits)} on connections of their own give ${expected}, on one connection ${got}`];
  await succeed(scene);
  return [];
}

/** The answers that come on one connection until the server closes it. */
async function answeredOf(scene: Scene, requests: readonly Request[]): Promise<Answer[]> {
  const connection = await scene.client.connect();
  try {
    const outcomes = await Promise.allSettled(requests.map((request) => connection.send(request)));
    const answers: Answer[] = [];
    for (const outcome of outcomes) {
      if (outcome.status === 'fulfilled') answers.push(outcome.value);
      else if (!isClosing(outcome.reason)) throw outcome.reason;
    }
    return answers;
  } finally {
    connection.close();
  }
}

/** Not late and not malformed: the connection ended where an answer would have begun. */
function isClosing(failure: unknown): boolean {
  return failure instanceof Error && /\bclosed\b/.test(failure.message);
}

/** The caller hangs up in the middle of a stream, several times; then an ordinary request works as before. */
export async function abortThenGood(scene: Scene): Promise<string[]> {
  const before = answerText(await succeed(scene)).text;
  const isRepeatable = answerText(await succeed(scene)).text === before;
  const long = { stream: true, max_tokens: Number(scene.parameters['max_tokens'] ?? 100) };
  const afterEvents = Number(scene.parameters['after_events'] ?? 1);
  for (let times = 0; times < 3; times += 1) {
    const answer = await scene.client.send(scene.request({ with: long }), { stopAfterEvents: afterEvents });
    if (answer.status !== 200) return [`the stream to be aborted must begin with 200, is ${answer.status}`];
  }
  const answer = await scene.client.send(scene.request());
  if (answer.status !== 200)
    return [
      `after three aborted streams a good request must give 200, gives ${answer.status}: ${answer.text.slice(0, 200)}`,
    ];
  const after = answerText(answer).text;
  return after === before || !isRepeatable
    ? []
    : [`after three aborted streams the same greedy request gives ${show(after)}, before ${show(before)}`];
}

/** Several requests at once: all succeed, with ids of their own; the greedy texts are as when asked alone. */
export async function parallel(scene: Scene): Promise<string[]> {
  const count = Number(scene.parameters['count'] ?? 4);
  const alone = answerText(await succeed(scene)).text;
  if (answerText(await succeed(scene)).text !== alone)
    throw new Skip('the server does not repeat its own answer at temperature 0');
  const connections: Connection[] = [];
  try {
    for (let index = 0; index < count; index += 1) connections.push(await scene.client.connect());
    const answers: Answer[] = await Promise.all(connections.map((connection) => connection.send(scene.request())));
    const bad = answers.find(({ status }) => status !== 200);
    if (bad !== undefined)
      return [`all of ${count} requests at once must give 200, one gives ${bad.status}: ${bad.text.slice(0, 200)}`];
    const found: string[] = [];
    const ids = new Set(answers.map((answer) => valueAt(answer.json, 'id')));
    if (ids.size < count) found.push(`${count} answers share ${ids.size} ids`);
    const other = answers.map((answer) => answerText(answer).text).find((text) => text !== alone);
    if (other !== undefined) found.push(`alone the greedy text is ${show(alone)}, in company ${show(other)}`);
    return found;
  } finally {
    for (const connection of connections) connection.close();
  }
}

/** The caller hangs up after half of the body, several times; then an ordinary request works. */
export async function halfARequest(scene: Scene): Promise<string[]> {
  for (let times = 0; times < 3; times += 1) {
    const connection = await scene.client.connect();
    await connection.sendHalf(scene.request());
    connection.close();
  }
  const { status, text } = await scene.client.send(scene.request());
  return status === 200
    ? []
    : [`after three requests broken off a good one must give 200, gives ${status}: ${text.slice(0, 200)}`];
}

/** A length of a million megabytes, and not a byte of it: the answer must come all the same. */
export async function declaredTooLarge(scene: Scene): Promise<string[]> {
  const request = { ...scene.request({ headers: { 'content-length': '1000000000000' } }), text: '{' };
  const timeoutMs = Math.min(scene.client.options.timeoutMs, 10_000);
  const connection = await scene.client.connect();
  try {
    const { status } = await connection.send(request, { timeoutMs });
    return status === 413 ? [] : [`status must be 413, is ${status}`];
  } finally {
    connection.close();
  }
}
