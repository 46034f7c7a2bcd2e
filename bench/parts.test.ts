// `bench parts` runs every part without an error.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';

const script = fileURLToPath(new URL('run.js', import.meta.url));

void t.test('every part has its rate', async (t) => {
  const { stdout } = await promisify(execFile)(process.execPath, [script, 'parts', '--seconds', '0.01']);
  const rows = stdout.trim().split('\n').slice(2);
  t.equal(rows.length, 9);
  for (const row of rows) t.match(row, /^(body|prompt|tokens|event|answer): .+\d/);
  t.notMatch(stdout, /Infinity|NaN/);
});
