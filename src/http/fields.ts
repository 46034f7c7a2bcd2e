// What is done with each field of a validated body, by the plan that the spec gave. Explicit null and the listed values are
// always fine; a refused field with another value is an error; unknown keys are collected, never dropped unseen.

import { ApiError } from '../core/errors.ts';
import type { FieldPlan } from '../core/operation.ts';

/** Distinct unknown keys remembered per request: enough to see what is wrong, whatever somebody sends. */
const maxUnknown = 32;
/** Longest spelling of one key in header and log, and longest header value. */
const maxNameLength = 80;
const maxHeaderLength = 1024;

/** Pattern of an unknown key (`messages[].foo`) -> where it was seen first (`messages[2].foo`). */
export type UnknownFields = ReadonlyMap<string, string>;

interface Refused {
  readonly param: string;
  readonly value: unknown;
  readonly accepts: readonly unknown[];
  readonly reason: string;
}

interface Findings {
  refused: Refused | undefined;
  readonly unknown: Map<string, string>;
}

/** Throws 400 `unsupported_parameter` for the first refused field; returns the unknown ones. */
export function checkFields(plan: FieldPlan, body: unknown): UnknownFields {
  const findings = look(plan, body, '', '');
  const { refused } = findings;
  if (refused === undefined) return findings.unknown;
  const accepted = refused.accepts.length === 0 ? '' : ` or send ${refused.accepts.map(shown).join(' or ')}`;
  throw new ApiError(
    'invalid_request',
    `'${refused.param}' with the value ${shown(refused.value)} is not supported: ${sentence(refused.reason)} Leave it out${accepted}.`,
    { code: 'unsupported_parameter', param: refused.param },
  );
}

/** Under `--strict-fields`: throws 400 `unknown_parameter` for the first unknown field. */
export function refuseUnknown(unknown: UnknownFields): void {
  for (const param of unknown.values()) {
    throw new ApiError(
      'invalid_request',
      `Unknown parameter '${clip(param)}': this server runs with strict fields. Remove it; /openapi.json lists the known ones.`,
      { code: 'unknown_parameter', param: clip(param) },
    );
  }
}

/** The patterns as one header value: printable ASCII, the rest percent-encoded, bounded in length. */
export function ignoredHeader(unknown: UnknownFields): string {
  const names = [...unknown.keys()].slice(0, maxUnknown).map(headerName);
  let length = 0;
  const shown = names.filter((name) => (length += name.length + 2) <= maxHeaderLength);
  return shown.length < unknown.size ? `${shown.join(', ')}, ...` : shown.join(', ');
}

function look(plan: FieldPlan, value: unknown, path: string, pattern: string): Findings {
  const findings: Findings = { refused: undefined, unknown: new Map() };
  visit(plan, value, path, pattern, findings);
  return findings;
}

function visit(plan: FieldPlan, value: unknown, path: string, pattern: string, findings: Findings): void {
  if (typeof value !== 'object' || value === null || findings.refused !== undefined) return;
  switch (plan.kind) {
    case 'array':
      if (!Array.isArray(value)) return;
      for (const [index, item] of value.entries()) {
        visit(plan.items, item, `${path}[${index}]`, `${pattern}[]`, findings);
      }
      return;
    case 'object':
      if (!Array.isArray(value)) visitObject(plan, value, path, pattern, findings);
      return;
    case 'tagged': {
      const tag: unknown = Object.hasOwn(value, plan.tag) ? (value as Record<string, unknown>)[plan.tag] : undefined;
      const branch = typeof tag === 'string' && Object.hasOwn(plan.branches, tag) ? plan.branches[tag] : plan.otherwise;
      if (branch !== undefined) visit(branch, value, path, pattern, findings);
      return;
    }
    case 'either': {
      const candidates = plan.plans.filter((candidate) => fits(candidate, value));
      const best = candidates.map((candidate) => look(candidate, value, path, pattern)).sort(byTrouble)[0];
      if (best === undefined) return;
      findings.refused = best.refused;
      for (const [key, first] of best.unknown) remember(findings, key, first);
      return;
    }
    case 'refused':
      findings.refused = { param: path, value, accepts: [], reason: plan.reason };
      return;
    default:
      plan satisfies never;
  }
}

function visitObject(
  plan: FieldPlan & { kind: 'object' },
  value: object,
  path: string,
  pattern: string,
  findings: Findings,
): void {
  for (const [key, inner] of Object.entries(value)) {
    const innerPath = path === '' ? key : `${path}.${key}`;
    const innerPattern = pattern === '' ? key : `${pattern}.${key}`;
    if (!Object.hasOwn(plan.fields, key)) {
      remember(findings, innerPattern, innerPath);
      continue;
    }
    const field = plan.fields[key];
    if (inner === null) continue;
    if (field.support === 'refused') {
      if (field.accepts.some((accepted) => equal(accepted, inner))) continue;
      findings.refused = { param: innerPath, value: inner, accepts: field.accepts, reason: field.reason };
      return;
    }
    if (field.inner !== undefined) visit(field.inner, inner, innerPath, innerPattern, findings);
  }
}

/** Whether a plan speaks of values of this shape. */
function fits(plan: FieldPlan, value: object): boolean {
  if (plan.kind === 'either') return plan.plans.some((inner) => fits(inner, value));
  if (plan.kind === 'tagged') {
    const tag: unknown = (value as Record<string, unknown>)[plan.tag];
    if (Array.isArray(value)) return false;
    return plan.otherwise !== undefined || (typeof tag === 'string' && Object.hasOwn(plan.branches, tag));
  }
  return (plan.kind === 'array') === Array.isArray(value);
}

/** Several plans may fit: the one that refuses nothing and knows most keys is the one that was meant. */
function byTrouble(a: Findings, b: Findings): number {
  return Number(a.refused !== undefined) - Number(b.refused !== undefined) || a.unknown.size - b.unknown.size;
}

function remember(findings: Findings, pattern: string, path: string): void {
  // One more than is shown: the header says whether there were more.
  if (findings.unknown.size <= maxUnknown && !findings.unknown.has(pattern)) findings.unknown.set(pattern, path);
}

/** Equality of JSON values; 0 and -0 are one number. */
function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [x, y] = [Object.entries(a), Object.entries(b)];
  return x.length === y.length && x.every(([key, value]) => Object.hasOwn(b, key) && equal(value, Reflect.get(b, key)));
}

function shown(value: unknown): string {
  return clip(JSON.stringify(value));
}

function sentence(reason: string): string {
  return /[.!?]$/.test(reason) ? reason : `${reason}.`;
}

function clip(text: string): string {
  const wellFormed = text.toWellFormed();
  return wellFormed.length <= maxNameLength
    ? wellFormed
    : `${wellFormed.slice(0, maxNameLength - 3).toWellFormed()}...`;
}

function headerName(pattern: string): string {
  return clip(pattern).replaceAll(/[^\w.[\]?$-]/gu, (character) =>
    encodeURIComponent(character).replaceAll(
      /^[^%]$/g,
      (plain) => `%${plain.charCodeAt(0).toString(16).toUpperCase()}`,
    ),
  );
}
