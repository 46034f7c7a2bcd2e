import t from 'tap';
import type { Log } from './core/log.ts';
import { createJsonLog } from './json-log.ts';
import { createTextLog, type LogOptions } from './logger.ts';

function lines(
  options: Pick<LogOptions, 'level'> & { readonly format: 'text' | 'json' },
  use: (log: Log) => void,
): string[] {
  const written: string[] = [];
  const now = (): Date => new Date(2026, 0, 2, 3, 4, 5);
  const create = options.format === 'json' ? createJsonLog : createTextLog;
  use(create({ ...options, write: (line) => written.push(line), now }));
  return written;
}

void t.test('text: time, message, fields; the level where it is not info', async (t) => {
  const written = lines({ format: 'text', level: 'info' }, (log) => {
    log.debug('unseen');
    log.info('listening', { url: 'http://127.0.0.1:1/', nothing: undefined, n: 3 });
    log.with({ requestId: 'req_1' }).warn('slow', { path: '/a b' });
  });
  t.same(written, [
    '03:04:05  listening  url=http://127.0.0.1:1/  n=3\n',
    '03:04:05  warn: slow  requestId=req_1  path="/a b"\n',
  ]);
});

void t.test('text: a value cannot forge a line', async (t) => {
  const [line, ...more] = lines({ format: 'text', level: 'info' }, (log) => {
    log.info('x', { path: 'a\n03:04:05  listening', list: ['\n'] });
  });
  t.same(more, []);
  t.match(
    lines({ format: 'text', level: 'info' }, (log) => log.info('a\r\u001b[2J', { b: '\u009b2J' }))[0],
    'a\\u000d\\u001b[2J  b="\\u009b2J"',
  );
  t.equal(line.indexOf('\n'), line.length - 1);
});

void t.test('text: an error is its message, with the stack at level debug only', async (t) => {
  const at = (level: 'info' | 'debug'): string =>
    lines({ format: 'text', level }, (log) => log.error('failed', { error: new Error('disk full') }))[0];
  t.equal(at('info'), '03:04:05  error: failed  error="disk full"\n');
  t.match(at('debug'), 'logger.test');
});

void t.test('text: a request in words', async (t) => {
  const request = {
    method: 'POST',
    path: '/v1/chat/completions',
    route: '/v1/chat/completions',
    operation: 'createChatCompletion',
    status: 200,
    ms: 3300.5,
  };
  const facts = {
    model: 'm',
    tokensIn: 1240,
    tokensCached: 1024,
    ttftMs: 210,
    tokensOut: 96,
    finishReason: 'stop',
    tokS: 31.4,
  };
  const [long, short] = lines({ format: 'text', level: 'info' }, (log) => {
    log.with({ requestId: 'req_1' }).info('request', { ...request, bytesIn: 1, bytesOut: 2, ...facts });
    log.info('request', { method: 'GET', path: '/nowhere\n', status: 404, ms: 0.4, bytesIn: 0, bytesOut: 2 });
  });
  t.equal(
    long,
    '03:04:05  POST /v1/chat/completions  200  in 1,240 (1,024 cached)  out 96  first 0.21 s  31.4 tok/s  req_1  model=m\n',
  );
  t.equal(short, '03:04:05  GET /nowhere\\u000a  404  0.4 ms\n');
});

void t.test('json: a request has the names that log searches know', async (t) => {
  const [line] = lines({ format: 'json', level: 'info' }, (log) => {
    const facts = {
      model: 'm',
      tokensIn: 9,
      tokensCached: 4,
      ttftMs: 210,
      tokensOut: 2,
      finishReason: 'stop',
      tokS: 3.5,
    };
    const request = { method: 'POST', route: '/v1/models/{model}', status: 200 };
    log.with({ requestId: 'req_1', traceId: 'a1' }).info('request', { ...request, ...facts });
  });
  const { ts, ...rest } = JSON.parse(line) as Record<string, unknown>;
  t.type(ts, 'string');
  t.same(rest, {
    level: 'info',
    request_id: 'req_1',
    trace_id: 'a1',
    method: 'POST',
    route: '/v1/models/{model}',
    status: 200,
    model: 'm',
    tokens_in: 9,
    tokens_cached: 4,
    ttft_ms: 210,
    tokens_out: 2,
    finish_reason: 'stop',
    tok_s: 3.5,
    msg: 'request',
  });
});

void t.test('json: one object per line with ts, level and msg', async (t) => {
  const written = lines({ format: 'json', level: 'debug' }, (log) => {
    log.debug('a');
    log.with({ requestId: 'req_1' }).error('b', { error: new Error('disk full') });
  });
  const [a, b] = written.map((line) => JSON.parse(line) as Record<string, unknown>);
  t.match(a, { level: 'debug', msg: 'a' });
  t.ok(!Number.isNaN(Date.parse(String(a['ts']))));
  t.match(b, { level: 'error', msg: 'b', request_id: 'req_1', error: { message: 'disk full' } });
});

void t.test('silent says nothing', async (t) => {
  for (const format of ['text', 'json'] as const) {
    t.same(
      lines({ format, level: 'silent' }, (log) => log.error('x')),
      [],
    );
  }
});
