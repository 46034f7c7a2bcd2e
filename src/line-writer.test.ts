import { spawnSync } from 'node:child_process';
import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { LineWriter } from './line-writer.ts';

void t.test('lines of one turn leave together, in order', async (t) => {
  const written: string[] = [];
  const writer = new LineWriter((text) => written.push(text));
  const { line, flush } = writer;
  t.ok(process.listeners('exit').includes(flush));
  line('a\n');
  line('b\n');
  t.same(written, []);
  await turn();
  t.same(written, ['a\nb\n']);
  line('c\n');
  flush();
  t.same(written, ['a\nb\n', 'c\n'], 'at once where something else follows');
  await turn();
  t.equal(written.length, 2, 'and once');
  for (let i = 0; i < 3; i++) line(`${'x'.repeat(40_000)}\n`);
  t.equal(written.length, 3, 'much does not wait');
  writer.end();
  t.equal(written.join('').length, 6 + 3 * 40_001);
  t.notOk(process.listeners('exit').includes(flush), 'nothing is left');
});

void t.test('what waits is written when the process ends', async (t) => {
  const module = JSON.stringify(new URL('./line-writer.js', import.meta.url).href);
  const use = `const { LineWriter } = await import(${module}); const out = new LineWriter((text) => process.stdout.write(text)); out.line('last\\n');`;
  for (const end of ['process.exit(3)', 'throw new Error()', '']) {
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', `${use} ${end}`], {
      encoding: 'utf8',
    });
    t.equal(stdout, 'last\n', end);
  }
});
