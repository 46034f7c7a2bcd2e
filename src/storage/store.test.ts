// One suite for every store.

import t from 'tap';
import { MemoryCompletionStore } from './memory.ts';
import type { CompletionQuery, CompletionStore, StoredCompletion } from './store.ts';

type Store = CompletionStore<{ text: string }, string>;

const stores: Readonly<Record<string, () => Store>> = { memory: () => new MemoryCompletionStore() };

function completion(id: string, more: Partial<StoredCompletion<{ text: string }, string>> = {}) {
  return { id, model: 'm', metadata: {}, answer: { text: `answer ${id}` }, inputs: ['Hi', 'there'], ...more };
}

async function idsOf(store: Store, query: Partial<CompletionQuery> = {}, owner = 'ann'): Promise<string> {
  const page = await store.list(owner, { limit: 20, order: 'asc', ...query });
  return page === undefined
    ? 'no such cursor'
    : `${page.items.map(({ id }) => id).join(' ')}${page.hasMore ? ' ...' : ''}`;
}

for (const [name, make] of Object.entries(stores)) {
  void t.test(`${name}: what is kept is found, by its owner alone, until it is removed`, async (t) => {
    const store = make();
    const kept = completion('a', { metadata: { topic: 'sea' } });
    await store.put('ann', kept);
    t.same(await store.find('ann', 'a'), kept);
    t.equal(await store.find('bob', 'a'), undefined);
    t.equal(await store.find('ann', 'b'), undefined);
    t.equal(await idsOf(store, {}, 'bob'), '');
    t.equal(await store.setMetadata('bob', 'a', {}), undefined);
    t.equal(await store.remove('bob', 'a'), false);
    t.equal(await store.remove('ann', 'a'), true);
    t.equal(await store.remove('ann', 'a'), false);
    t.equal(await store.find('ann', 'a'), undefined);
  });

  void t.test(`${name}: pages, both ways`, async (t) => {
    const store = make();
    for (const id of 'abcde') await store.put('ann', completion(id));
    t.equal(await idsOf(store), 'a b c d e');
    t.equal(await idsOf(store, { order: 'desc' }), 'e d c b a');
    t.equal(await idsOf(store, { limit: 2 }), 'a b ...');
    t.equal(await idsOf(store, { limit: 2, after: 'b' }), 'c d ...');
    t.equal(await idsOf(store, { limit: 2, after: 'd' }), 'e');
    t.equal(await idsOf(store, { limit: 2, order: 'desc', after: 'b' }), 'a');
    t.equal(await idsOf(store, { after: 'e' }), '');
    t.equal(await idsOf(store, { after: 'x' }), 'no such cursor');
  });

  void t.test(`${name}: filters by model and by all pairs of metadata`, async (t) => {
    const store = make();
    await store.put('ann', completion('a', { metadata: { topic: 'sea', day: '1' } }));
    await store.put('ann', completion('b', { model: 'n', metadata: { topic: 'sea' } }));
    await store.put('ann', completion('c'));
    t.equal(await idsOf(store, { model: 'm' }), 'a c');
    t.equal(await idsOf(store, { metadata: { topic: 'sea' } }), 'a b');
    t.equal(await idsOf(store, { metadata: { topic: 'sea', day: '1' } }), 'a');
    t.equal(await idsOf(store, { model: 'n', metadata: { day: '1' } }), '');
    t.equal(await idsOf(store, { metadata: { toString: '' } }), '');
    t.equal(await idsOf(store, { metadata: { topic: 'sea' }, after: 'c', order: 'desc' }), 'b a');
    t.equal(await idsOf(store, { metadata: { topic: 'sea' }, limit: 1 }), 'a ...');
  });

  void t.test(`${name}: metadata is replaced; nothing that was given out or in changes what is kept`, async (t) => {
    const store = make();
    const metadata: Record<string, string> = { topic: 'sea' };
    await store.put('ann', completion('a', { metadata }));
    metadata['topic'] = 'land';
    t.match(await store.find('ann', 'a'), { metadata: { topic: 'sea' } });
    t.same((await store.setMetadata('ann', 'a', { day: '2' }))?.metadata, { day: '2' });
    const found = await store.find('ann', 'a');
    t.same(found?.metadata, { day: '2' });
    t.same(found?.answer, { text: 'answer a' });
    if (found !== undefined) found.answer.text = 'another';
    t.match(await store.find('ann', 'a'), { answer: { text: 'answer a' } });
    t.equal(await idsOf(store, { metadata: { day: '2' } }), 'a');
  });
}

void t.test('memory: the oldest of an owner go when there are too many, or too much', async (t) => {
  const few: Store = new MemoryCompletionStore({ maxCount: 3, maxCharacters: 10_000 });
  for (const id of 'abcde') await few.put('ann', completion(id));
  await few.put('bob', completion('z'));
  t.equal(await idsOf(few), 'c d e');
  t.equal(await idsOf(few, {}, 'bob'), 'z', 'the others keep theirs');
  await few.put('ann', completion('c', { model: 'n' }));
  t.equal(await idsOf(few), 'd e c', 'the same id again is a new one');

  const small: Store = new MemoryCompletionStore({ maxCount: 100, maxCharacters: 1000 });
  const sized = (id: string, length: number) => completion(id, { answer: { text: 'x'.repeat(length) } });
  for (const id of 'abcde') await small.put('ann', sized(id, 300));
  t.equal(await idsOf(small), 'd e', 'some 350 characters each');
  await small.put('ann', sized('f', 5000));
  t.equal(await idsOf(small), 'd e', 'what could never fit drives nothing out');
  await small.remove('ann', 'd');
  await small.remove('ann', 'e');
  for (const id of 'gh') await small.put('ann', sized(id, 300));
  t.equal(await idsOf(small), 'g h', 'what was removed counts no more');
});
