import t from 'tap';
import type { Log } from './core/log.ts';
import { silentLog } from './core/log.ts';
import { stopOnSignals, type StopOptions } from './signals.ts';

/** A server and an engine that note what is asked of them; signals are emitted, not sent. */
function setUp(state: StopOptions['engine']['state'], { running = 0, delayMs = 0 } = {}) {
  const calls: string[] = [];
  const log: Log = { ...silentLog, info: (message) => calls.push(message) };
  let drained = (): void => undefined;
  const stopped = stopOnSignals({
    server: {
      running,
      drain: (options) => {
        calls.push(`drain ${options?.delayMs ?? 0} ${options?.graceMs}`);
        return new Promise((resolve) => (drained = resolve));
      },
    },
    engine: {
      state,
      shutdown: async (graceMs) => {
        calls.push(`shutdown ${graceMs}`);
      },
    },
    delayMs,
    graceMs: 5000,
    log,
    exit: (code) => calls.push(`exit ${code}`),
  });
  return { calls, stopped, drained: () => drained() };
}

const signal = (name: 'SIGINT' | 'SIGTERM'): void => void process.emit(name);

t.afterEach(() => {
  process.removeAllListeners('SIGINT');
  process.removeAllListeners('SIGTERM');
});

void t.test('one signal: drain, then end the engine, then 0', async (t) => {
  const { calls, stopped, drained } = setUp('ready', { running: 2 });
  signal('SIGTERM');
  t.same(calls, ['drain 0 5000', 'finishing 2 answers, up to 5 s']);
  drained();
  t.equal(await stopped, 0);
  t.same(calls.slice(2), ['shutdown 2000', 'stopped cleanly']);
});

void t.test('Ctrl-C says that a second one stops at once, and it does', async (t) => {
  const { calls } = setUp('ready', { running: 1 });
  signal('SIGINT');
  t.equal(calls[1], 'finishing 1 answer, up to 5 s · Ctrl-C again stops now');
  signal('SIGINT');
  t.same(calls.slice(2), ['exit 130']);
  signal('SIGTERM');
  t.same(calls.slice(3), ['exit 143']);
});

void t.test('SIGTERM waits for load balancers, Ctrl-C does not', async (t) => {
  const patient = setUp('ready', { running: 1, delayMs: 20 });
  signal('SIGTERM');
  t.same(patient.calls, ['not ready any more; arriving requests are served for another 0.02 s', 'drain 20 5000']);
  patient.drained();
  t.equal(await patient.stopped, 0);
  t.same(patient.calls.slice(2), ['finishing 1 answer, up to 5 s', 'shutdown 2000', 'stopped cleanly']);
  process.removeAllListeners('SIGTERM');
  process.removeAllListeners('SIGINT');
  const hasty = setUp('ready', { delayMs: 20 });
  signal('SIGINT');
  t.same(hasty.calls, ['drain 0 5000', 'stopping · Ctrl-C again stops now']);
});

void t.test('before the model is loaded nothing is waited for', async (t) => {
  for (const [name, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 0],
  ] as const) {
    const { calls, stopped, drained } = setUp('loading');
    signal(name);
    drained();
    t.equal(await stopped, code);
    t.same(calls, ['drain 0 0', 'shutdown 0', 'stopped before the model was loaded']);
    process.removeAllListeners(name);
  }
});
