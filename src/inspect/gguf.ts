// `inspect gguf`: what the header of a GGUF model says, as text or as one line of JSON. Reads headers only.

import { parseArgs } from 'node:util';
import type { MetadataValue } from '../core/metadata.ts';
import { CheckpointError } from '../weights/checkpoint.ts';
import { describeCheckpoint } from '../weights/describe.ts';
import type { ModelDescription } from '../weights/describe.ts';
import { joinParts, openParts } from '../weights/gguf.ts';
import type { GgufFile } from '../weights/gguf.ts';
import { printable, quote } from '../weights/quote.ts';

export const usage = 'inspect gguf PATH [--json] [--full]';

/** Exit code: 0, 1 when the file is no model, 2 for arguments that are not understood. Problems go to standard error. */
export async function run(args: readonly string[], out: { write(text: string): unknown }): Promise<number> {
  const request = readArguments(args);
  if (typeof request === 'string') {
    process.stderr.write(`${request}\nusage: ${usage}\n`);
    return 2;
  }
  try {
    const report = await inspectGguf(request.path, { full: request.full });
    out.write(request.json ? `${JSON.stringify(report)}\n` : reportText(report));
    return 0;
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
}

export interface GgufReport extends ModelDescription {
  /** One per part. */
  readonly files: readonly FileReport[];
  /** Of the first part. */
  readonly metadata: Readonly<Record<string, ValueReport>>;
  readonly tensors: readonly TensorReport[];
}

export interface FileReport {
  readonly file: string;
  readonly version: number;
  readonly fileBytes: number;
  readonly headerBytes: number;
  readonly dataOffset: number;
  readonly alignment: number;
}

export interface ValueReport {
  /** `u32`, `string`, `f32[]`, ... */
  readonly type: string;
  /** Integers beyond 2^53 and numbers that are not finite are strings, since JSON cannot hold them. */
  readonly value: unknown;
  /** Elements of an array; when it has more than are shown, `value` holds the first. */
  readonly length?: number;
}

export interface TensorReport {
  readonly name: string;
  /** The length of a row first: [in, out]. */
  readonly shape: readonly number[];
  /** `type 41` when this program does not know the type. */
  readonly type: string;
  /** Index into `files`. */
  readonly file: number;
  /** Absolute, in its file. */
  readonly offset: number;
  readonly bytes: number | undefined;
}

/** Elements of an array, and characters of a string, that are shown without `full`. */
const shownElements = 8;
const shownCharacters = 200;

/** Throws `CheckpointError`. `full`: arrays and strings at full length. */
export async function inspectGguf(path: string, options: { readonly full?: boolean } = {}): Promise<GgufReport> {
  const parts = await openParts(path);
  const limit = options.full === true ? Infinity : shownElements;
  const metadata = Object.entries(parts[0].metadata).map(([key, value]) => [
    key,
    valueReport(parts[0].metadataTypes.get(key) ?? '', value, limit),
  ]);
  return {
    ...describeCheckpoint(joinParts(parts)),
    files: parts.map(fileReport),
    metadata: Object.fromEntries(metadata) as GgufReport['metadata'],
    tensors: parts.flatMap(({ tensors }, file) =>
      tensors.map(({ name, shape, dtype, typeId, offset, bytes }) => {
        return { name, shape, type: dtype ?? `type ${typeId}`, file, offset, bytes };
      }),
    ),
  };
}

function fileReport({ file, version, fileBytes, headerBytes, dataOffset, alignment }: GgufFile): FileReport {
  return { file, version, fileBytes, headerBytes, dataOffset, alignment };
}

function valueReport(type: string, value: MetadataValue, limit: number): ValueReport {
  if (!Array.isArray(value)) return { type, value: plain(value, limit) };
  return { type, value: plain(value, limit), length: value.length };
}

function plain(value: MetadataValue, limit: number): unknown {
  if (typeof value === 'bigint' || (typeof value === 'number' && !Number.isFinite(value))) return String(value);
  if (typeof value === 'string') {
    const isLong = limit < Infinity && value.length > shownCharacters;
    return isLong ? `${value.slice(0, shownCharacters)}…` : value;
  }
  if (typeof value !== 'object') return value;
  return value.slice(0, limit).map((element) => plain(element, limit));
}

// ---- text ----

function reportText(report: GgufReport): string {
  const { files, name, architecture, parameters, quantization, bitsPerWeight, mix } = report;
  const lines: string[] = files.map(({ file, version, fileBytes, headerBytes, dataOffset, alignment }) => {
    const sizes = `${grouped(fileBytes)} bytes, header ${grouped(headerBytes)}, data from ${grouped(dataOffset)}`;
    return `${file}: GGUF version ${version}, ${sizes}, alignment ${alignment}`;
  });
  lines.push(
    '',
    `name          ${name}`,
    `architecture  ${architecture}`,
    `parameters    ${grouped(parameters)}`,
    `quantization  ${quantization}, ${bitsPerWeight.toFixed(2)} bits per weight`,
    '',
    ...table(
      ['type', 'tensors', 'elements', 'bytes'],
      mix.map(({ dtype, tensors, elements, bytes }) => [dtype, grouped(tensors), grouped(elements), grouped(bytes)]),
      [1, 2, 3],
    ),
    '',
    ...table(
      ['key', 'type', 'value'],
      Object.entries(report.metadata).map(([key, value]) => [printable(key, 100), typeText(value), valueText(value)]),
    ),
  );
  if (report.tensors.length > 0) lines.push('', ...tensorTable(report));
  return `${lines.join('\n')}\n`;
}

function tensorTable({ tensors, files }: GgufReport): string[] {
  const isSplit = files.length > 1;
  const rows = tensors.map(({ name, shape, type, file, offset, bytes }) => [
    printable(name, 100),
    shape.join(' x '),
    type,
    grouped(offset),
    bytes === undefined ? '?' : grouped(bytes),
    ...(isSplit ? [String(file + 1)] : []),
  ]);
  return table(['tensor', 'shape', 'type', 'offset', 'bytes', ...(isSplit ? ['part'] : [])], rows, [3, 4, 5]);
}

function typeText({ type, length }: ValueReport): string {
  return length === undefined ? type : type.replace('[]', `[${length}]`);
}

function valueText({ type, value, length }: ValueReport): string {
  const show = (element: unknown): string => {
    if (typeof element === 'string') return quote(element, Infinity);
    return type.startsWith('f32') ? shortest(element) : JSON.stringify(element);
  };
  if (!Array.isArray(value)) return show(value);
  return `${value.map(show).join(', ')}${value.length < (length ?? 0) ? ', …' : ''}`;
}

/** The fewest digits that give the same f32: 1e-5 rather than 0.000009999999747378752. */
function shortest(value: unknown): string {
  if (typeof value !== 'number') return String(value);
  for (let digits = 1; digits < 9; digits++) {
    const rounded = Number(value.toPrecision(digits));
    if (Math.fround(rounded) === Math.fround(value)) return String(rounded);
  }
  return String(value);
}

/** Columns padded to their widest cell; those in `right` are flush right. */
function table(head: readonly string[], rows: readonly (readonly string[])[], right: readonly number[] = []): string[] {
  const all = [head, ...rows];
  const widths = head.map((_, column) => all.reduce((widest, row) => Math.max(widest, row[column].length), 0));
  return all.map((row) =>
    row
      .map((cell, column) => (right.includes(column) ? cell.padStart(widths[column]) : cell.padEnd(widths[column])))
      .join('  ')
      .trimEnd(),
  );
}

/** 1234567 -> 1,234,567 */
function grouped(value: number): string {
  return value.toLocaleString('en-US');
}

function readArguments(args: readonly string[]): { path: string; json: boolean; full: boolean } | string {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { json: { type: 'boolean', default: false }, full: { type: 'boolean', default: false } },
      allowPositionals: true,
    });
    if (positionals.length !== 1) return 'Give one path.';
    return { path: positionals[0], json: values.json, full: values.full };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
