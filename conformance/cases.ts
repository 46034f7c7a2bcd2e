// The cases as data: cases/<operation>/<group>.json, checked against cases/schemas/group.json. A case's path is
// <operation>/<group>/<id>; the files know nothing of this runner's language.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Request } from './request.ts';
import type { Expectation, Schemas } from './expect.ts';
import { Schemas as SchemaSet } from './expect.ts';

/** What a case may presuppose; without it the case is skipped. */
export type Need = 'api-key' | 'no-api-key' | 'model-name';

export interface Step {
  readonly request: Request;
  readonly expect: Expectation;
  /** When the answer is like this, the case says nothing about this server. */
  readonly skipIf?: { readonly expect: Expectation; readonly because: string } | undefined;
}

interface CaseHead {
  /** `chat/stream/done-last` */
  readonly path: string;
  /** The requirement in prose. */
  readonly requirement: string;
  /** Where it is written. */
  readonly source: string;
  /** MUST: written law, or published clients break. SHOULD: good practice; counts under `--strict` only. */
  readonly level: 'MUST' | 'SHOULD';
  /** Beyond the published API; a server may well lack it. */
  readonly extension: boolean;
  readonly needs: readonly Need[];
}

export type Case = CaseHead &
  (
    | {
        readonly kind: 'steps';
        readonly steps: readonly Step[];
        /** Paths whose values are the same, or all different, in the answers of all steps. */
        readonly same: readonly string[];
        readonly different: readonly string[];
      }
    | { readonly kind: 'scenario'; readonly scenario: string; readonly parameters: Parameters }
  );

/** Named arguments of a scenario. */
export type Parameters = Readonly<Record<string, unknown>>;

/** A request of a file: whole, or as a difference to the file's `base`. */
interface WrittenRequest extends Partial<Request> {
  /** Top-level fields put into the base's body. */
  readonly with?: Readonly<Record<string, unknown>>;
  /** Top-level fields taken out of it. */
  readonly without?: readonly string[];
}

interface WrittenStep {
  readonly request?: WrittenRequest;
  readonly expect: Expectation;
  readonly skipIf?: Step['skipIf'];
}

interface WrittenCase extends Partial<WrittenStep> {
  readonly id: string;
  readonly requirement: string;
  readonly source: string;
  readonly level: 'MUST' | 'SHOULD';
  readonly extension?: boolean;
  readonly needs?: readonly Need[];
  readonly steps?: readonly WrittenStep[];
  readonly same?: readonly string[];
  readonly different?: readonly string[];
  readonly scenario?: string;
  readonly parameters?: Parameters;
}

interface WrittenGroup {
  readonly about: string;
  readonly base?: Request;
  readonly cases: readonly WrittenCase[];
}

/** A case file that cannot be used; the message names it. */
export class CaseFileError extends Error {
  override readonly name = 'CaseFileError';
}

/** The cases beside the sources, whether this file runs from there or from the build folder. */
export function casesFolder(): string {
  const candidates = ['cases', '../../conformance/cases'].map((path) =>
    resolve(fileURLToPath(new URL(path, import.meta.url))),
  );
  const found = candidates.find((path) => existsSync(path));
  if (found === undefined) throw new CaseFileError(`no case files: looked in ${candidates.join(' and ')}`);
  return found;
}

/** All cases in the order of their paths' folders and files; `variables` fill `{{name}}` in requests and expectations. */
export function loadCases(
  folder: string,
  variables: Readonly<Record<string, string>>,
): { cases: Case[]; schemas: Schemas } {
  const schemas = new SchemaSet();
  for (const name of jsonFiles(join(folder, 'schemas'))) schemas.add(name, readJson(join(folder, 'schemas', name)));
  const cases: Case[] = [];
  for (const operation of readdirSync(folder).sort()) {
    if (operation === 'schemas') continue;
    for (const name of jsonFiles(join(folder, operation))) {
      const file = join(folder, operation, name);
      const written = readJson(file);
      const problems = schemas.check({ $ref: 'group.json' }, written);
      if (problems.length > 0) throw new CaseFileError(`${file}: ${problems.slice(0, 5).join('; ')}`);
      const group = fill(written, variables) as WrittenGroup;
      const prefix = `${operation}/${name.slice(0, -'.json'.length)}`;
      cases.push(...group.cases.map((entry) => readCase(entry, group.base, prefix)));
    }
  }
  const seen = new Set<string>();
  for (const { path } of cases) {
    if (seen.has(path)) throw new CaseFileError(`two cases are called ${path}`);
    seen.add(path);
  }
  return { cases, schemas };
}

function readCase(written: WrittenCase, base: Request | undefined, prefix: string): Case {
  const path = `${prefix}/${written.id}`;
  const { requirement, source, level, extension = false, needs = [], same = [], different = [] } = written;
  const head = { path, requirement, source, level, extension, needs };
  if (written.scenario !== undefined) {
    return { ...head, kind: 'scenario', scenario: written.scenario, parameters: { base, ...written.parameters } };
  }
  const steps = written.steps ?? [written as WrittenStep];
  return {
    ...head,
    kind: 'steps',
    steps: steps.map(({ request = {}, expect, skipIf }) => ({ request: merge(base, request, path), expect, skipIf })),
    same,
    different,
  };
}

/** A request written as a difference -> the whole request. */
export function merge(base: Request | undefined, written: WrittenRequest, path: string): Request {
  const { with: added, without = [], ...rest } = written;
  const whole = { ...base, ...rest };
  if (whole.method === undefined || whole.path === undefined)
    throw new CaseFileError(`${path}: a request without method or path`);
  const { method, path: target, version, headers, transfer } = whole;
  if (rest.text !== undefined) return { method, path: target, version, headers, transfer, text: rest.text };
  if (added === undefined && without.length === 0) return { ...whole, method, path: target };
  const body: Record<string, unknown> = { ...(whole.body as Record<string, unknown>), ...added };
  for (const name of without) delete body[name];
  return { method, path: target, version, headers, transfer, body };
}

/** Replaces `{{name}}` in strings and `{"$repeat": [text, times]}` by the text so many times. */
function fill(value: unknown, variables: Readonly<Record<string, string>>): unknown {
  if (typeof value === 'string')
    return value.replaceAll(/\{\{([a-z-]+)\}\}/g, (all, name: string) => variables[name] ?? all);
  if (Array.isArray(value)) return value.map((item) => fill(item, variables));
  if (value === null || typeof value !== 'object') return value;
  const repeat = (value as Record<string, unknown>)['$repeat'];
  if (Array.isArray(repeat)) return String(repeat[0]).repeat(Number(repeat[1]));
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, fill(item, variables)]));
}

function jsonFiles(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort();
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as unknown;
  } catch (error) {
    throw new CaseFileError(`${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
