import t from 'tap';
import { describeSkips, readSkips } from './skips.ts';

const tap = `TAP version 14
# Subtest: reference: arch/llama
    ok 1 - no fixtures: models/arch/llama.gguf (set FIXTURES to their folder) # SKIP
    ok 2 - no fixtures: models/arch/llama.expected.json (set FIXTURES to their folder) # SKIP
    1..2
ok 1 - reference: arch/llama # time=3.2ms
ok 2 - wasm vnni: kernels build "vnni" needs relaxed SIMD # SKIP
ok 3 - other bits # SKIP kernels build "vnni" needs relaxed SIMD
not ok 4 - is no skip # TODO
ok 5 - no runtime: npm run build:runtime installs it # SKIP
ok 6 - skipped: 0 fixtures
`;

void t.test('skipped fixtures, builds and others are told apart', async (t) => {
  const skips = readSkips(tap);
  t.same(skips, { fixtures: 2, builds: ['vnni'], others: ['no runtime: npm run build:runtime installs it'] });
  t.same(readSkips('ok 1 - fine\n'), { fixtures: 0, builds: [], others: [] });
  t.equal(
    describeSkips(new Map([['20.20.2', skips]])),
    'tests ran on Node 20.20.2; skipped: 2 fixtures, 1 kernel builds (vnni on Node 20.20.2), ' +
      '1 others (no runtime: npm run build:runtime installs it)',
  );
  t.match(describeSkips(new Map([['24.0.0', readSkips('')]])), /skipped: 0 fixtures, 0 kernel builds, 0 others$/);
});
