// Which records are left without a barrier between them, and that the buffers of such records keep their places as long.

import t from 'tap';
import { buildModel } from '../../model/model.ts';
import { join } from 'node:path';
import { projectRoot } from '../../testing/fixtures.ts';
import { openCheckpoint } from '../../weights/gguf.ts';
import { linkRecords, mostStages, stepsOf } from './link.ts';
import { items, links, opcodes, type Link, type ProgramRecord } from './records.ts';

const none = { label: '', weightBytes: 0, multiplications: 0 };

function ofRows(opcode: number, chunk: number, kind: number = items.tokens, factor = 1): ProgramRecord {
  return { opcode, items: kind, factor, chunk, operands: [], ...none };
}

/** `input`: where its quants lie. */
function product(input: number): ProgramRecord {
  return { ...none, opcode: 35, items: items.fixed, factor: 8, chunk: 2, operands: [input, 64, 0], multiplications: 1 };
}

function linksOf(records: readonly ProgramRecord[]): Link[] {
  return linkRecords(records).map(({ link = links.barrier }) => link);
}

void t.test('operations on rows are joined, products of one input stand beside each other', async (t) => {
  const { barrier, joined, beside } = links;
  const layer = [
    ofRows(opcodes.rmsNorm, 4),
    ofRows(opcodes.quantize, 6),
    product(1000),
    product(1000),
    product(2000),
    ofRows(opcodes.rope, 4),
    ofRows(opcodes.store, 4),
    ofRows(opcodes.attention, 1, items.packs, 2),
    ofRows(opcodes.quantize, 4),
    product(1000),
  ];
  t.same(linksOf(layer), [joined, barrier, beside, barrier, barrier, joined, barrier, barrier, barrier, barrier]);
  t.same(
    linkRecords(layer).map(({ chunk }) => chunk),
    [6, 6, 2, 2, 2, 4, 4, 1, 4, 2],
    'a stage takes the smallest chunk of its records, or whole packs',
  );
});

void t.test('a phase has no more stages than there are counters for', async (t) => {
  const { barrier, beside } = links;
  const many = Array.from({ length: mostStages + 2 }, () => product(1000));
  t.same(linksOf(many), [...Array.from({ length: mostStages - 1 }, () => beside), barrier, beside, barrier]);
});

void t.test('rows of other kinds, and items that are not whole rows, are waited for', async (t) => {
  const { barrier, joined } = links;
  t.same(linksOf([ofRows(opcodes.add, 8), ofRows(opcodes.add, 8, items.outputs)]), [barrier, barrier]);
  t.same(linksOf([ofRows(opcodes.add, 8), ofRows(opcodes.add, 8, items.tokens, 2)]), [barrier, barrier]);
  t.same(linksOf([ofRows(opcodes.add, 8), ofRows(opcodes.select, 8, items.outputs)]), [barrier, barrier]);
  t.same(linksOf([ofRows(opcodes.add, 8), ofRows(opcodes.add, 8), ofRows(opcodes.add, 8)]), [joined, joined, barrier]);
  t.same(linksOf([]), []);
});

void t.test('what may run out of order shares a step', async (t) => {
  const model = buildModel(await openCheckpoint(join(projectRoot, 'models', 'demo-3m-Q8_0.gguf')), {
    contextLength: 64,
  });
  const { ops } = model.program;
  const steps = stepsOf(ops);
  let compared = 0;
  for (const [index, op] of ops.entries()) {
    const before = ops.at(index - 1);
    if (index === 0 || before === undefined) continue;
    t.ok(steps[index].last >= steps[index - 1].first, 'steps follow the program');
    const isRows = (name: string): boolean => !['linear', 'attention', 'select'].includes(name);
    if (isRows(op.op) && isRows(before.op)) {
      t.same(steps[index], steps[index - 1], `${before.op} and ${op.op} are one run`);
      compared++;
    } else if (op.op === 'linear' && before.op === 'linear') {
      t.same(steps[index], steps[index - 1]);
      compared++;
    } else if (op.op === 'linear') {
      // Its input may be quantised with the rows before it.
      t.ok(steps[index].first <= steps[index - 1].last);
      compared++;
    }
  }
  t.ok(compared > 10 * model.layers, 'the program has such neighbours');
});
