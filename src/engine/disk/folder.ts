// The folder of a prefix cache: whether it can be used, what is in it, what is thrown out of it. Several servers may share one; none of
// them ever touches a file without our name.

import { lstat, mkdir, readdir, rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { headerBytes, parseName, temporaryName, type BlockKind } from './block-file.ts';

export interface StoredFile {
  /** What it takes on disk. */
  readonly bytes: number;
  /** Milliseconds since 1970. */
  readonly usedAt: number;
  /** This process has written or read it. */
  readonly isVerified?: boolean;
}

/** Makes it if there is none. Throws, with what the system says of it, when files cannot be written there. */
export async function checkFolder(folder: string): Promise<void> {
  try {
    // What is in it tells what was asked.
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const name = join(folder, `tramontane-0-${'0'.repeat(64)}.kv`);
    const temporary = temporaryName(name);
    await writeFile(temporary, Buffer.alloc(4096), { mode: 0o600, flag: 'wx' });
    await rename(temporary, name);
    await remove(folder, `tramontane-0-${'0'.repeat(64)}.kv`);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`the prefix cache cannot write to ${folder}: ${reason}`, { cause });
  }
}

/** Blocks by name. Temporary files that nobody can be writing any more are removed. */
export async function listFolder(folder: string): Promise<Map<string, StoredFile>> {
  const found = new Map<string, StoredFile>();
  const names = (await readdir(folder)).filter((name) => parseName(name) !== undefined);
  for (let from = 0; from < names.length; from += listedAtOnce) {
    await Promise.all(
      names.slice(from, from + listedAtOnce).map(async (name) => {
        // Another server may have removed it by now.
        const stat = await lstat(join(folder, name)).catch(() => undefined);
        if (stat?.isFile() !== true) return;
        if (parseName(name)?.isTemporary !== true) {
          found.set(name, { bytes: diskBytes(stat.size), usedAt: stat.mtimeMs });
        } else if (Date.now() - stat.mtimeMs > abandonedMs) await remove(folder, name);
      }),
    );
  }
  return found;
}

/** It may be gone already. */
export async function remove(folder: string, name: string): Promise<void> {
  await unlink(join(folder, name)).catch(ignoreMissing);
}

/** What a block takes on disk. */
export function fileBytes({ bytes }: Pick<BlockKind, 'bytes'>): number {
  return diskBytes(headerBytes + bytes);
}

/** Files take whole pages of 4 KiB. */
function diskBytes(size: number): number {
  return Math.ceil(size / 4096) * 4096;
}

/**
 * Those to throw out so that the rest takes at most `bytes`: what was not used for longest, and of what was used at about the same time
 * the ends of texts before their beginnings, without which nobody finds them.
 */
export function oldest(files: ReadonlyMap<string, StoredFile>, bytes: number): string[] {
  let total = 0;
  for (const file of files.values()) total += file.bytes;
  if (total <= bytes) return [];
  const age = ({ usedAt }: StoredFile): number => Math.floor(usedAt / sameTimeMs);
  const sorted = [...files].sort(
    ([a, x], [b, y]) => age(x) - age(y) || (parseName(b)?.index ?? 0) - (parseName(a)?.index ?? 0),
  );
  const victims: string[] = [];
  for (const [name, file] of sorted) {
    if (total <= bytes) break;
    total -= file.bytes;
    victims.push(name);
  }
  return victims;
}

export function ignoreMissing(error: unknown): void {
  if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
}

/** A use is written down when the last one is longer ago: a block that is read every second costs no writing. */
export const sameTimeMs = 10 * 60_000;

/** Writing a block takes seconds at most. */
const abandonedMs = 3_600_000;

const listedAtOnce = 32;
