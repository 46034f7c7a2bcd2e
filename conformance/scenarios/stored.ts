// Chat completions that are kept: made, looked up, changed, deleted.

import type { Answer } from '../client.ts';
import { show, valueAt } from '../expect.ts';
import type { Json } from '../stream.ts';
import { Skip, succeed, usable } from './scene.ts';
import type { Scene } from './scene.ts';

export async function storedRetrieved(scene: Scene): Promise<string[]> {
  const made = await succeed(scene);
  const found = usable(await ask(scene, 'GET', `/${idOf(made)}`));
  return ['id', 'choices[0].message.content', 'usage.prompt_tokens'].flatMap((key) => {
    const [before, after] = [valueAt(made.json, key), valueAt(found.json, key)];
    return show(before) === show(after) ? [] : [`${key} was ${show(before)}, is ${show(after)}`];
  });
}

export async function storedNotUnasked(scene: Scene): Promise<string[]> {
  const made = await succeed(scene, { without: ['store'] });
  const { status } = await ask(scene, 'GET', `/${idOf(made)}`);
  return status === 404 ? [] : [`status must be 404, is ${status}`];
}

export async function storedListed(scene: Scene): Promise<string[]> {
  const mark = `mark-${process.hrtime.bigint()}`;
  const wanted = idOf(await succeed(scene, { with: { metadata: { mark } } }));
  const other = idOf(await succeed(scene));
  const found = usable(await ask(scene, 'GET', `?metadata[mark]=${mark}`));
  const data = valueAt(found.json, 'data');
  const ids = Array.isArray(data) ? (data as Json[]).map(({ id }) => id) : [];
  if (ids.length === 1 && ids[0] === wanted) return [];
  return [`of ${wanted}, which has the metadata, and ${other}, which has not, ${show(ids)} are listed`];
}

export async function storedMessages(scene: Scene): Promise<string[]> {
  const made = await succeed(scene);
  const found = usable(await ask(scene, 'GET', `/${idOf(made)}/messages`));
  const data = valueAt(found.json, 'data');
  const messages = (Array.isArray(data) ? (data as Json[]) : []).map(({ id, role, content }) => [
    typeof id,
    role,
    content,
  ]);
  const { messages: sent } = scene.request().body as { readonly messages: readonly Json[] };
  const expected = sent.map(({ role, content }) => ['string', role, content]);
  return show(messages) === show(expected) ? [] : [`the messages must be ${show(expected)}, are ${show(data)}`];
}

export async function storedUpdated(scene: Scene): Promise<string[]> {
  const id = idOf(await succeed(scene));
  usable(await ask(scene, 'POST', `/${id}`, { metadata: { purpose: 'changed' } }));
  const found = usable(await ask(scene, 'GET', `/${id}`));
  const metadata = valueAt(found.json, 'metadata');
  return show(metadata) === show({ purpose: 'changed' }) ? [] : [`metadata is ${show(metadata)}`];
}

export async function storedDeleted(scene: Scene): Promise<string[]> {
  const id = idOf(await succeed(scene));
  const deleted = usable(await ask(scene, 'DELETE', `/${id}`));
  const { status } = await ask(scene, 'GET', `/${id}`);
  const problems = valueAt(deleted.json, 'deleted') === true ? [] : [`the answer is ${deleted.text.slice(0, 200)}`];
  return status === 404 ? problems : [...problems, `afterwards its status must be 404, is ${status}`];
}

function idOf(answer: Answer): string {
  const id = valueAt(answer.json, 'id');
  if (typeof id !== 'string') throw new Skip('the completion has no id');
  return encodeURIComponent(id);
}

async function ask(scene: Scene, method: string, rest: string, body?: unknown): Promise<Answer> {
  return await scene.client.send({ method, path: `chat/completions${rest}`, ...(body === undefined ? {} : { body }) });
}
