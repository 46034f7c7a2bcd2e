// The completions that the good server was asked to keep.

import { json, refuse } from './reply.ts';
import type { Body } from './reply.ts';
import type { FakeAnswer } from './server.ts';

export class Stored {
  readonly #entries = new Map<string, { answer: Body; readonly messages: readonly Body[] }>();

  /** What `store: true` asks for. */
  keep(answer: Body, { store, metadata, messages }: Body): void {
    if (store !== true) return;
    const id = String(answer['id']);
    const list = (messages as readonly Body[]).map((message, at) => ({ id: `${id}-${at}`, ...message }));
    this.#entries.set(id, { answer: { ...answer, metadata: metadata ?? {} }, messages: list });
  }

  list(query: string): FakeAnswer {
    const wanted = [...new URLSearchParams(query)].flatMap(([name, value]) => {
      const key = /^metadata\[(.*)\]$/.exec(name)?.[1];
      return key === undefined ? [] : [[key, value] as const];
    });
    const all = [...this.#entries.values()].map(({ answer }) => answer);
    return listOf(all.filter(({ metadata }) => wanted.every(([key, value]) => (metadata as Body)[key] === value)));
  }

  /** `path`: below chat/completions. */
  answer(method: string, path: string, body: Body): FakeAnswer {
    const [id = '', rest] = path.split('/');
    const entry = this.#entries.get(id);
    if (entry === undefined) return refuse({ status: 404, message: `There is no completion ${id}.` });
    if (rest === 'messages') return listOf(entry.messages);
    if (method === 'DELETE') {
      this.#entries.delete(id);
      return json(200, { object: 'chat.completion.deleted', id, deleted: true });
    }
    if (method === 'POST') entry.answer = { ...entry.answer, metadata: body['metadata'] };
    return json(200, entry.answer);
  }
}

function listOf(data: readonly Body[]): FakeAnswer {
  const ends = { first_id: data.at(0)?.['id'] ?? '', last_id: data.at(-1)?.['id'] ?? '' };
  return json(200, { object: 'list', data, ...ends, has_more: false });
}
