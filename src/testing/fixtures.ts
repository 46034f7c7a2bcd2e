// Where the optional test fixtures are: `$FIXTURES`, or `shared/data` beside the checkout. With fixtures present a missing file is a
// failure; without them tests that need one skip and are counted.

import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';

/** Root of the checkout (tests run from build/src/testing). */
export const projectRoot = resolve(fileURLToPath(new URL('../../..', import.meta.url)));

const beside = join(projectRoot, '..', 'shared', 'data');

/** Folder of the fixtures, or `undefined`. An explicitly named folder must exist. */
export const fixturesRoot: string | undefined = process.env['FIXTURES'] ?? (existsSync(beside) ? beside : undefined);

/** Path of one fixture; when there are no fixtures at all, the test is skipped and the result is `undefined`. */
export function fixture(t: Test, name: string): string | undefined {
  if (fixturesRoot === undefined) {
    void t.skip(`no fixtures: ${name} (set FIXTURES to their folder)`, () => undefined);
    return undefined;
  }
  const path = join(fixturesRoot, name);
  if (!existsSync(path)) throw new Error(`fixture ${name} is missing in ${fixturesRoot}`);
  return path;
}
