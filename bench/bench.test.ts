// What the commands share: reading flags, statistics, tables, random numbers.

import t from 'tap';
import { readArguments, UsageError } from './arguments.ts';
import { seededRandom } from './random.ts';
import { mean, median, percentile, spread, tally } from './statistics.ts';
import { formatFacts, formatNumber, formatTable, rounded } from './table.ts';

void t.test('flags are read as what they are', async (t) => {
  const args = '--users 3 --levels 1,2,16 --hours 0.5 --names a,b --quiet here -- --theirs 1'.split(' ');
  const options = readArguments(args, ['users', 'levels', 'hours', 'names', 'other'], ['quiet', 'loud']);
  t.equal(options.amount('users', 1), 3);
  t.equal(options.count('users', 1), 3);
  t.equal(options.text('users'), '3');
  t.equal(options.required('users'), '3');
  t.same(options.amounts('levels', []), [1, 2, 16]);
  t.equal(options.number('hours', 1), 0.5);
  t.same(options.list('names'), ['a', 'b']);
  t.ok(options.flag('quiet'));
  t.notOk(options.flag('loud'));
  t.same(options.positionals, ['here', '--theirs', '1'], 'what follows -- is not ours');
  t.same(
    [options.text('other'), options.list('other'), options.amount('other', 7), options.amounts('other', [8])],
    [undefined, undefined, 7, [8]],
  );
});

void t.test('flags that say nothing sensible are refused by name', async (t) => {
  const of = (value: string): ReturnType<typeof readArguments> => readArguments([`--n=${value}`], ['n'], []);
  for (const value of ['', '-1', '1.5', 'x', '1e3', '12345678901']) {
    t.throws(() => of(value).count('n', 0), { name: 'UsageError', message: /^--n takes / }, `count ${value}`);
    t.throws(() => of(value).amounts('n', []), { name: 'UsageError', message: /^--n takes / }, `amounts ${value}`);
  }
  t.throws(() => of('0').amount('n', 1), UsageError);
  t.throws(() => of('1,,2').amounts('n', []), UsageError);
  for (const value of ['', '-1', '.', 'x', '1e3', '1.2.3']) t.throws(() => of(value).number('n', 0), UsageError, value);
  t.equal(of('.25').number('n', 0), 0.25);
  t.throws(() => of('').required('n'), { message: '--n is required' });
  t.throws(() => readArguments(['--m', '1'], ['n'], []), { name: 'UsageError', message: /--m/ });
  t.throws(() => readArguments(['--n'], ['n'], []), UsageError);
});

void t.test('percentiles are values that occurred', async (t) => {
  const values = Array.from({ length: 200 }, (_, i) => 200 - i);
  t.equal(percentile(values, 0.5), 100);
  t.equal(percentile(values, 0.99), 198);
  t.equal(percentile(values, 1), 200);
  t.equal(percentile(values, 0), 1);
  t.equal(percentile([3, 1, 2], 0.99), 3, 'of few the largest');
  t.equal(percentile([10, 9, 100], 0.5), 10, 'by size, not by text');
  t.equal(percentile([], 0.5), undefined);
  t.same(spread([5]), { p50: 5, p99: 5 });
  t.equal(spread([]), undefined);
  t.equal(median([10, 9, 100]), 10);
  t.equal(median([4, 1, 2, 3]), 2.5);
  t.equal(median([]), undefined);
  t.equal(mean([1, 2, 6]), 3);
  t.equal(mean([]), undefined);
  t.same(Object.entries(tally(['a', 'b', 'b', 'c', 'b', 'c'])), [
    ['b', 3],
    ['c', 2],
    ['a', 1],
  ]);
});

void t.test('tables', async (t) => {
  const rows = [
    ['Q8_0', 1.234, 5, undefined],
    ['Q4_K', 1234.5, 10, 0.05],
  ];
  t.equal(
    formatTable(['type', 'GB/s', 'n', 'rest'], rows),
    'type  GB/s   n  rest\nQ8_0  1.23   5     –\nQ4_K  1235  10  0.05\n',
  );
  t.equal(formatTable(['a', 'errors'], [[1, '']]), 'a  errors\n1\n');
  t.equal(formatFacts({ a: 1, long: 'x' }), 'a     1\nlong  x\n');
  t.same([0, 7, 1234567, 99.95, 12.345, -12.345, 0.0049, 123.456].map(formatNumber), [
    '0',
    '7',
    '1234567',
    '100.0',
    '12.3',
    '-12.3',
    '0.00',
    '123',
  ]);
  t.same([rounded(123456.789), rounded(0.123456), rounded(undefined)], [123460, 0.12346, undefined]);
});

void t.test('random numbers are repeatable, in range and different for each seed', async (t) => {
  const some = (seed: number): number[] => {
    const random = seededRandom(seed);
    return Array.from({ length: 1000 }, () => random.below(10));
  };
  t.same(some(5), some(5));
  const firsts = new Set(Array.from({ length: 1000 }, (_, seed) => seededRandom(seed).word()));
  t.equal(firsts.size, 1000);
  const counts = Object.values(tally(some(5).map(String)));
  t.equal(counts.length, 10);
  t.ok(Math.min(...counts) > 60, 'each digit about 100 times');
});
