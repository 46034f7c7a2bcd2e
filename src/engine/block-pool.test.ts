import t from 'tap';
import { BlockPool } from './block-pool.ts';

void t.test('freeing everything leaves the pool as it began', async (t) => {
  const pool = new BlockPool(5);
  const held: number[] = [];
  for (;;) {
    const block = pool.allocate();
    if (block === undefined) break;
    held.push(block);
  }
  t.same(held, [0, 1, 2, 3, 4], 'every block once');
  t.equal(pool.free, 0);
  for (const block of held) pool.share(block);
  for (const block of held) pool.release(block);
  t.equal(pool.used, 5, 'one reference is left of each');
  for (const block of held) pool.release(block);
  t.equal(pool.free, 5);
  t.equal(pool.used, 0);
});

void t.test('a block is not handed out twice while somebody holds it', async (t) => {
  const pool = new BlockPool(3);
  const held = new Map<number, number>();
  let state = 1;
  for (let i = 0; i < 2000; i++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    const action = (state >>> 16) % 3;
    const known = [...held.keys()];
    const one = known[(state >>> 20) % Math.max(1, known.length)];
    if (action === 0) {
      const block = pool.allocate();
      if ((block === undefined) !== (held.size === 3)) t.fail('blocks run out exactly when all are held');
      if (block === undefined) continue;
      if (held.has(block)) t.fail(`block ${block} is held`);
      held.set(block, 1);
    } else if (one !== undefined && action === 1) {
      pool.share(one);
      held.set(one, (held.get(one) ?? 0) + 1);
    } else if (one !== undefined) {
      pool.release(one);
      const left = (held.get(one) ?? 0) - 1;
      if (left === 0) held.delete(one);
      else held.set(one, left);
    }
    if (pool.used !== held.size) t.fail('used blocks are those held');
  }
});

void t.test('sharing or releasing a free block breaks an invariant', async (t) => {
  const pool = new BlockPool(2);
  t.throws(() => pool.release(0), /held by nobody/);
  t.throws(() => pool.share(1), /held by nobody/);
});
