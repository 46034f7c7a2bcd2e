// The command line: options in, verdicts and an exit code out. 0: nothing failed; 1: something failed; 2: it could not be run.

import { parseArgs } from 'node:util';
import { CaseFileError, casesFolder, loadCases } from './cases.ts';
import { Client, ConnectionFailure } from './client.ts';
import { MalformedAnswer } from './answer.ts';
import { valueAt } from './expect.ts';
import { jsonReport, listCases, printRequests, summaryLine, terminalReport } from './report.ts';
import type { Write } from './report.ts';
import { runSuite, select } from './suite.ts';

export interface Terminal {
  /** Results. */
  readonly out: Write;
  /** Complaints, and the summary line beside JSON. */
  readonly err: Write;
  readonly colour: boolean;
}

const help = `Checks any server that claims to speak the OpenAI API. It talks HTTP only.

  npm run conformance -- --base-url URL --model NAME [options]

  --base-url URL   where an SDK would be pointed, as http://localhost:1234/v1
  --model NAME     the model to ask; left out: the first that GET /models lists
  --api-key KEY    sent as a Bearer token; checks of keys are skipped without one
  --only PATH      only the cases at or below PATH, as chat or chat/stream/done-last (may be repeated)
  --strict         SHOULD counts like MUST
  --json           one JSON object per line on stdout; the summary line goes to stderr
  --timeout S      seconds that one answer may take (default 120)
  --list           print the cases and stop
  --dry-run        print the requests and stop
  --help           this text

The last line is "N passed, M failed, K skipped". Exit code 0: nothing failed; 1: something failed; 2: could not run.
`;

/** A command that cannot be carried out; the message says what would be right. */
class UsageError extends Error {
  override readonly name = 'UsageError';
}

export async function command(args: readonly string[], terminal: Terminal): Promise<number> {
  try {
    return await carryOut(args, terminal);
  } catch (error) {
    const isExpected =
      error instanceof UsageError ||
      error instanceof CaseFileError ||
      error instanceof ConnectionFailure ||
      error instanceof MalformedAnswer;
    if (!isExpected) throw error;
    terminal.err(`conformance: ${error.message}\n`);
    return 2;
  }
}

async function carryOut(args: readonly string[], { out, err, colour }: Terminal): Promise<number> {
  const options = parse(args);
  if (options.help) {
    out(help);
    return 0;
  }
  const needsServer = !options.list && !options['dry-run'];
  if (options['base-url'] === undefined && needsServer)
    throw new UsageError('--base-url is needed, as http://localhost:1234/v1 (--help for more)');
  const client = new Client({
    baseUrl: address(options['base-url'] ?? 'http://localhost:1234/v1'),
    apiKey: options['api-key'],
    timeoutMs: seconds(options.timeout) * 1000,
  });
  const model = options.model ?? (needsServer ? await firstModel(client) : 'MODEL');
  const { cases, schemas } = loadCases(casesFolder(), {
    model,
    'model-in-path': encodeURIComponent(model),
    // Cases that name it are skipped without one.
    'api-key': options['api-key'] ?? '',
  });
  const chosen = select(cases, options.only);
  if (chosen.length === 0) throw new UsageError(`no case at or below ${options.only.join(', ')}; --list shows all`);
  if (options.list || options['dry-run']) {
    if (options.list) listCases(chosen, out, colour);
    else printRequests(chosen, client, out, colour);
    out(`${summaryLine({ passed: 0, failed: 0, skipped: chosen.length })}\n`);
    return 0;
  }
  // One honest sentence instead of a failure per case when nobody is there.
  (await client.connect()).close();
  const report = options.json ? jsonReport(out, err) : terminalReport({ write: out, colour, client, model });
  const summary = { passed: 0, failed: 0, skipped: 0 };
  report.begin(chosen);
  for await (const result of runSuite(chosen, { client, schemas, strict: options.strict, model })) {
    summary[result.verdict] += 1;
    report.result(result);
  }
  report.end(summary);
  return summary.failed === 0 ? 0 : 1;
}

interface Options {
  readonly 'base-url': string | undefined;
  readonly model: string | undefined;
  readonly 'api-key': string | undefined;
  readonly only: readonly string[];
  readonly timeout: string;
  readonly strict: boolean;
  readonly json: boolean;
  readonly list: boolean;
  readonly 'dry-run': boolean;
  readonly help: boolean;
}

function parse(args: readonly string[]): Options {
  try {
    const { values } = parseArgs({
      args: [...args],
      allowPositionals: false,
      options: {
        'base-url': { type: 'string' },
        model: { type: 'string' },
        'api-key': { type: 'string' },
        only: { type: 'string', multiple: true, default: [] },
        timeout: { type: 'string', default: '120' },
        strict: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
        'dry-run': { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    return { 'base-url': undefined, model: undefined, 'api-key': undefined, ...values };
  } catch (error) {
    throw new UsageError(
      `${error instanceof Error ? error.message.split('. ')[0] : String(error)} (--help lists the options)`,
    );
  }
}

function address(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new UsageError(`--base-url must be an address as http://localhost:1234/v1, is ${text}`);
  return url;
}

function seconds(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new UsageError(`--timeout must be a number of seconds above 0, is ${text}`);
  return value;
}

async function firstModel(client: Client): Promise<string> {
  const answer = await client.send({ method: 'GET', path: 'models' });
  const id = valueAt(answer.json, 'data[0].id');
  if (typeof id !== 'string')
    throw new UsageError(`GET ${client.baseUrl}/models lists no model (${answer.status}): give --model`);
  return id;
}
