// Which files make up a model: one GGUF file, all parts of a split one (NAME-00001-of-00003.gguf), or a folder with one of these.

import type { Stats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { CheckpointError } from './checkpoint.ts';
import { quote } from './quote.ts';

/** The files of the model at `path`, in order of their parts. Throws `CheckpointError` when there is none, or more than one. */
export async function findParts(path: string): Promise<readonly string[]> {
  const stats = await statPath(path);
  if (stats.isDirectory()) return modelInFolder(path);
  if (!stats.isFile())
    throw new CheckpointError(`${path} is neither a file nor a folder. Give the path of a GGUF model.`);
  const part = partOfName(basename(path));
  return part === undefined ? [path] : partsBeside(path, part);
}

export interface Part {
  readonly stem: string;
  /** From 1. */
  readonly number: number;
  readonly count: number;
}

/** `NAME-00002-of-00003.gguf` -> NAME, 2, 3. */
export function partOfName(name: string): Part | undefined {
  const match = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/s.exec(name);
  if (match === null) return undefined;
  const part = { stem: match[1], number: Number(match[2]), count: Number(match[3]) };
  return part.number >= 1 && part.number <= part.count ? part : undefined;
}

function nameOfPart({ stem, count }: Part, number: number): string {
  const digits = (value: number): string => String(value).padStart(5, '0');
  return `${stem}-${digits(number)}-of-${digits(count)}.gguf`;
}

async function partsBeside(path: string, part: Part): Promise<readonly string[]> {
  const folder = dirname(path);
  const present = new Set(await readFolder(folder));
  const names = Array.from({ length: part.count }, (_, i) => nameOfPart(part, i + 1));
  const missing = names.filter((name) => !present.has(name));
  if (missing.length > 0) {
    const shown = missing.slice(0, 5).join(', ');
    const rest = missing.length > 5 ? ` and ${missing.length - 5} more` : '';
    throw new CheckpointError(
      `${path} is part ${part.number} of ${part.count}; missing beside it: ${shown}${rest}. Fetch them into the same folder.`,
    );
  }
  return names.map((name) => join(folder, name));
}

async function modelInFolder(folder: string): Promise<readonly string[]> {
  // Projectors of media encoders lie beside the model they belong to.
  const names = (await readFolder(folder)).filter((name) => name.endsWith('.gguf') && !/mmproj/i.test(name)).sort();
  const models = new Map<string, string>();
  for (const name of names) {
    const part = partOfName(name);
    const model = part === undefined ? name : nameOfPart(part, 1);
    if (!models.has(model)) models.set(model, name);
  }
  const [first, ...others] = models.values();
  if (first === undefined)
    throw new CheckpointError(`${folder} holds no GGUF model (a file whose name ends in .gguf).`);
  if (others.length > 0) {
    const shown = [first, ...others].slice(0, 10).map((name) => quote(name));
    const rest = others.length > 9 ? ` and ${others.length - 9} more` : '';
    throw new CheckpointError(
      `${folder} holds ${others.length + 1} models: ${shown.join(', ')}${rest}. Give the path of one of them.`,
    );
  }
  return findParts(join(folder, first));
}

async function readFolder(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (cause) {
    throw new CheckpointError(`cannot list ${folder}: ${reasonOf(cause)}`, { cause });
  }
}

async function statPath(path: string): Promise<Stats> {
  try {
    return await stat(path);
  } catch (cause) {
    throw new CheckpointError(`cannot open ${path}: ${reasonOf(cause)}`, { cause });
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file. Check the path, or download the model first.',
  EACCES: 'this user may not read it. Change its permissions.',
  EPERM: 'this user may not read it. Change its permissions.',
  ENOTDIR: 'a part of the path is not a folder.',
  ENAMETOOLONG: 'the path is too long.',
  ERR_INVALID_ARG_VALUE: 'the path contains a zero character.',
};

/** Whether Node's file functions threw it. */
export function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}

/** A file system error in words. */
export function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return reasons[code] ?? (error instanceof Error ? error.message : String(error));
}
