// A tenant that fills the queue fills its own part of it.

import t from 'tap';
import { EngineBench, promptIds } from '../testing/engine-bench.ts';
import { fakeRequest } from '../testing/fake-model.ts';
import { mayQueue } from './queue-share.ts';

/** How many of so many requests get a place. */
function ask(bench: EngineBench, tenant: string, count: number): number {
  const from = bench.said.length;
  for (let i = 0; i < count; i++)
    bench.engine.submit(`${tenant} ${from} ${i}`, fakeRequest(promptIds(9, i), { tenant }));
  const said = bench.said.slice(from);
  for (const message of said) {
    if (message.type === 'accepted') continue;
    t.match(message, { error: { kind: 'rate_limit', code: 'queue_full', retryAfterSeconds: Number } });
  }
  return said.filter(({ type }) => type === 'accepted').length;
}

void t.test('a full queue is full for who filled it, not for others', async (t) => {
  const bench = new EngineBench({ maxSequences: 2, maxWaiting: 8 });
  t.equal(ask(bench, 'ann', 20), 2 + 8, 'alone, the whole queue');
  t.equal(ask(bench, 'bob', 20), 4, 'half of it, since there are two');
  t.equal(ask(bench, 'cy', 20), 2, 'a third');
  t.equal(ask(bench, 'ann', 5), 0);
  await bench.engine.step();
  t.equal(ask(bench, 'bob', 5), 0, 'its share is what waits, served or not');
  t.equal(ask(bench, 'dee', 20), 2, 'a fourth, up to twice the bound');
  t.equal(ask(bench, 'eve', 20), 0);
  t.match(bench.engine.stats, { running: 2, waiting: 8 + 4 + 2 + 2 });
  await bench.run();
  t.ok(
    bench.said.filter(({ type }) => type === 'finished').length === 10 + 4 + 2 + 2,
    'all that were accepted are served',
  );
  t.equal(ask(bench, 'ann', 20), 10, 'alone again');
});

void t.test('a place that gets free is for everybody', async (t) => {
  const bench = new EngineBench({ maxSequences: 1, maxWaiting: 3 });
  t.equal(ask(bench, 'ann', 9), 4);
  t.equal(ask(bench, 'bob', 9), 1);
  await bench.engine.step();
  bench.engine.cancel('ann 0 1');
  bench.engine.cancel('ann 0 2');
  t.equal(ask(bench, 'ann', 9), 1, 'the queue has room, whoever asks');
});

void t.test('bounds', async (t) => {
  const at = (waiting: string, running: string, newcomer: string, limit: number): boolean =>
    mayQueue({ waiting: waiting.split(''), running: running.split(''), newcomer, limit });
  t.ok(at('aab', '', 'b', 3));
  t.notOk(at('aaaa', '', 'a', 3), 'alone there are no shares');
  t.ok(at('aaaab', '', 'b', 4), 'one more than the bound, and it is the first of its tenant');
  t.notOk(at('b', 'a', 'b', 0), 'no queue is no queue');
  t.ok(at('aabcdefghi', '', 'i', 5), 'more tenants than places: one each');
  t.notOk(at('aabcdefghijk', '', 'k', 5), 'but never beyond twice the bound');
  t.notOk(at('abbb', 'a', 'b', 3));
  t.ok(at('aaab', 'b', 'b', 3), 'what runs counts as present, not as waiting');
});
