import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { Stamps, type Stamp } from './stamps.ts';
import { waysOf } from './stream.ts';

const ms = 1_000_000n;

void t.test('pieces and arrivals are matched in order, and only those that a token released count', async (t) => {
  const stamp = (at: bigint): Stamp => ({ sampledAt: at * ms, heardAt: (at + 1n) * ms, writtenAt: (at + 2n) * ms });
  const stamps = new Stamps();
  stamps.pieces.set('a', [stamp(10n), undefined, stamp(30n), stamp(40n)]);
  const ways = waysOf(stamps, new Map([['a', [13n * ms, 25n * ms, 34n * ms]]]));
  t.same(ways, [
    { toServer: 1, toWrite: 2, toSocket: 3 },
    { toServer: 1, toWrite: 2, toSocket: 4 },
  ]);
  t.equal(stamps.pieces.size, 0, 'the next round begins anew');
  t.throws(() => waysOf(stamps, new Map([['b', [1n]]])), /more pieces of b arrived than left/);
});

void t.test('a piece counts from the token that released it', async (t) => {
  const stamps = new Stamps();
  const token = (sampledAt: bigint): object => ({ type: 'tokens', choice: 0, ids: [1], sampledAt });
  const tokens = [token(1n), token(2n), { type: 'finished', choice: 0, cause: 'length' }];
  const engine = stamps.engine({
    state: 'ready',
    submit: async () => ({ cachedTokens: 0, cancel: () => undefined, events: from(tokens) as never }),
  });
  const generate = stamps.generate(async function* (request, signal) {
    const { events } = await engine.submit(request.id, {} as never, signal);
    let heard = 0;
    // The first token alone is no whole character.
    for await (const event of events) {
      if (event.type === 'tokens' && ++heard === 2) yield { type: 'delta', choice: 0, block: 0, text: 'h\u00e9' };
    }
    yield { type: 'delta', choice: 0, block: 0, text: 'what was held back' };
  });
  for await (const _ of generate({ id: 'a' } as never, new AbortController().signal));
  const pieces = stamps.pieces.get('a') ?? [];
  t.equal(pieces.length, 2);
  t.equal(pieces[0]?.sampledAt, 2n);
  t.ok((pieces[0]?.writtenAt ?? 0n) >= (pieces[0]?.heardAt ?? 0n));
  t.equal(pieces[1], undefined);
});

void t.test('the whole way is measured', async (t) => {
  const run = fileURLToPath(new URL('../run.js', import.meta.url));
  const args = 'stream --streams 2 --gen 16 --seconds 0.3 --rounds 1 --threads 1 --json'.split(' ');
  const { stdout, stderr } = spawnSync(process.execPath, [run, ...args], {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  t.equal(stderr, '');
  const { rows } = JSON.parse(stdout) as {
    rows: { tokens: number; toServer: Times; toWrite: Times; toSocket: Times }[];
  };
  const [{ tokens, toServer, toWrite, toSocket }] = rows;
  t.ok(tokens > 4, 'pieces arrived');
  t.ok(toServer.p50 > 0 && toServer.p50 <= toWrite.p50 && toServer.p50 <= toSocket.p50, 'one after the other');
  t.ok(toSocket.p50 <= toSocket.p99);
});

interface Times {
  readonly p50: number;
  readonly p99: number;
}

async function* from<T>(values: readonly T[]): AsyncGenerator<T> {
  yield* values;
}
