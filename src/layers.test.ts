// The arrows of the house: which room may import what. Reads every import of every source file; fails on an arrow that the
// table lacks, on a circle between files, and on a package used outside its room.

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import t from 'tap';
import { projectRoot } from './testing/fixtures.ts';

/** Room -> rooms (or `room/file`) it may import. A file of a room may always import its own room. */
const arrows: Record<string, readonly string[]> = {
  core: [],
  tensor: ['core'],
  storage: ['core'],
  tokenizer: ['core'],
  compute: ['tensor', 'core'],
  weights: ['tensor', 'core'],
  model: ['weights', 'compute', 'tensor', 'core'],
  sampling: ['core'],
  engine: ['model', 'sampling', 'compute', 'weights', 'tensor', 'core'],
  generation: ['engine/client', 'engine/messages', 'tokenizer', 'weights/checkpoint', 'core'],
  protocol: ['generated', 'core'],
  operations: ['protocol', 'generation', 'storage', 'engine/messages', 'generated', 'core'],
  http: ['generated', 'core'],
  pages: ['core'],
  generated: ['core'],
  inspect: ['*'],
  doctor: ['*'],
  main: ['*'],
  testing: ['*'],
};

/** Package -> the only rooms (or `room/file`) that may import it. Packages not listed are free for tests and tools only. */
const packages: Record<string, readonly string[]> = {
  '@huggingface/tokenizers': ['tokenizer'],
  '@huggingface/jinja': ['tokenizer'],
  '@assemblyscript/loader': ['compute/wasm'],
  'fast-json-stringify': ['generated'],
  ajv: ['generated'],
  'uWebSockets.js': ['http/uws', 'http/uws-exchange', 'http/uws-body'],
  'uWebSockets.js-22': ['http/uws'],
  'uWebSockets.js-24': ['http/uws'],
  pino: ['main'],
  'cli-progress': ['main'],
  'prom-client': ['main'],
  'swagger-ui-dist': ['pages'],
};

interface Import {
  readonly from: string;
  readonly to: string;
}

const source = join(projectRoot, 'src');

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sourceFiles(path);
    return path.endsWith('.ts') && !path.endsWith('.test.ts') && !path.endsWith('.d.ts') ? [path] : [];
  });
}

function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  const found: string[] = [];
  for (const match of text.matchAll(/(?:^|\n)\s*(?:import|export)\s[^'";]*?from\s*'([^']+)'/g)) found.push(match[1]);
  for (const match of text.matchAll(/\bimport(?:\.meta\.resolve)?\(\s*'([^']+)'\s*\)/g)) found.push(match[1]);
  return found;
}

/** `src/engine/client.ts` -> `engine/client`; files directly in src: main (and inspect). */
function placeOf(file: string): string {
  const path = relative(source, file).replace(/\.(ts|js)$/, '');
  if (path.includes('/')) return path;
  return path === 'inspect' ? 'inspect/index' : `main/${path}`;
}

function allows(entries: readonly string[], place: string): boolean {
  return entries.some((entry) => entry === '*' || place === entry || place.startsWith(`${entry}/`));
}

const files = sourceFiles(source);
const local: Import[] = [];
const foreign: Import[] = [];
for (const from of files) {
  for (const specifier of importsOf(from)) {
    if (specifier.startsWith('.')) local.push({ from, to: resolve(dirname(from), specifier).replace(/\.js$/, '.ts') });
    else if (!specifier.startsWith('node:')) foreign.push({ from, to: specifier });
  }
}

void t.test('every import is an arrow of the table', async (t) => {
  t.ok(local.length > 20, 'imports were found at all');
  for (const { from, to } of local) {
    const room = placeOf(from).split('/')[0];
    const target = placeOf(to);
    const targetRoom = target.split('/')[0];
    if (room === targetRoom) continue;
    const row = arrows[room];
    if (row === undefined) t.fail(`room ${room} is not in the table (${placeOf(from)})`);
    else if (!allows(row, target)) t.fail(`${placeOf(from)} must not import ${target}`);
    if (targetRoom === 'testing') t.fail(`${placeOf(from)} is no test and must not import ${target}`);
  }
});

void t.test('no file imports itself through others', async (t) => {
  const edges = new Map<string, string[]>();
  for (const { from, to } of local) edges.set(from, [...(edges.get(from) ?? []), to]);
  const state = new Map<string, 'open' | 'done'>();
  const visit = (file: string, path: readonly string[]): void => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      t.fail(`circle: ${[...path.slice(path.indexOf(file)), file].map(placeOf).join(' -> ')}`);
      return;
    }
    state.set(file, 'open');
    for (const next of edges.get(file) ?? []) visit(next, [...path, file]);
    state.set(file, 'done');
  };
  for (const file of files) visit(file, []);
  t.pass('walked');
});

void t.test('each package is imported by its room only', async (t) => {
  for (const { from, to } of foreign) {
    const name = to.startsWith('@') ? to.split('/').slice(0, 2).join('/') : to.split('/')[0];
    const place = placeOf(from);
    if (place.startsWith('testing/')) continue;
    const rooms = packages[name];
    if (rooms === undefined) t.fail(`package ${name} has no room in the table (${place})`);
    else if (!allows(rooms, place)) t.fail(`${place} must not import ${name}: its room is ${rooms.join(', ')}`);
  }
});
