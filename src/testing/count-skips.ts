// The last line of CI. Arguments are folders of TAP files, named after the Node that ran the tests. Fails when a fixture was skipped although
// there are fixtures.

import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fixturesRoot } from './fixtures.ts';
import { describeSkips, readSkips } from './skips.ts';

const runs = new Map(
  process.argv.slice(2).map((folder) => {
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.tap'));
    const tap = files.map((file) => readFileSync(join(folder, file), 'utf8')).join('\n');
    return [basename(folder).replace(/^v/, ''), readSkips(tap)] as const;
  }),
);
process.stdout.write(`${describeSkips(runs)}\n`);
const fixtures = [...runs.values()].some((skips) => skips.fixtures > 0);
if (fixtures && fixturesRoot !== undefined) {
  process.stderr.write(`there are fixtures in ${fixturesRoot}, so none may be skipped\n`);
  process.exitCode = 1;
}
