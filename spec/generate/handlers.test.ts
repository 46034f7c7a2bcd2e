// The compiler is the proof that spec/ and handlers agree: an operation without a handler does not compile, nor a handler without an
// operation, nor one that answers something else.

import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { projectRoot } from '../../src/testing/fixtures.ts';

const folder = join(projectRoot, 'build/handlers-test');

/** File -> what its object of handlers holds. `all` has every handler, whatever spec/ names today. */
const files: Readonly<Record<string, string>> = {
  right: '...all',
  missing: '...withoutHealth',
  extra: '...all, async deleteEverything() { return {}; }',
  wrongAnswer: `...all, getHealth: async () => ({ status: 'fine' })`,
  wrongRequest: '...all, retrieveModel: async ({ body }) => body.id',
};

function source(handlers: string): string {
  return [
    `import type { Operations } from '../../src/generated/operations.ts';`,
    'declare const all: Operations;',
    'const { getHealth, ...withoutHealth } = all;',
    'export const health = getHealth;',
    'export const kept = withoutHealth;',
    `export const operations: Operations = { ${handlers} };`,
    '',
  ].join('\n');
}

void t.test('a handler too few, too many or of the wrong type does not compile', async (t) => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, handlers] of Object.entries(files)) {
    writeFileSync(join(folder, `${name}.ts`), source(handlers));
  }
  const config = {
    extends: '../../tsconfig.json',
    compilerOptions: { noEmit: true, rootDir: '../..' },
    files: Object.keys(files).map((name) => `${name}.ts`),
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
  // Not bin/tsc: a file without an ending does not survive the test runner's loader.
  const compiler = join(projectRoot, 'node_modules/typescript/lib/tsc.js');
  const run = spawnSync(process.execPath, [compiler, '-p', folder, '--pretty', 'false'], {
    cwd: folder,
    encoding: 'utf8',
    timeout: 60_000,
  });
  const complaints = run.stdout.split('\n').filter((line) => /error TS/.test(line));
  const about = (name: string): string => complaints.filter((line) => line.startsWith(`${name}.ts`)).join('\n');
  t.equal(about('right'), '');
  t.match(about('missing'), /'getHealth' is missing/);
  t.match(about('extra'), /'deleteEverything' does not exist/);
  t.match(about('wrongAnswer'), /"fine"/);
  t.match(about('wrongRequest'), /Property 'id' does not exist|possibly 'undefined'/);
  t.equal(complaints.length, 4, 'and nothing else is wrong', { complaints });
});
