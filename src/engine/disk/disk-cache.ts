// KV blocks in a folder, one file each: what the prefix cache knew before a restart, and what memory has no room for. Blocks are written in
// the background, one at a time, and read when a prompt begins like one of them. A cache may always say that it knows nothing: whatever
// goes wrong with a file costs that file, and whatever goes wrong with the folder ends the writing, with one warning.

import { constants } from 'node:fs';
import { open, rename, utimes, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { fileName, flawOf, headerBytes, sealBlock, temporaryName, type BlockKind } from './block-file.ts';
import { fileBytes, listFolder, oldest, remove, sameTimeMs, type StoredFile } from './folder.ts';

export interface DiskCacheOptions {
  readonly folder: string;
  /** Most that all files take together; several servers may pass it by 1/32 each before they look again. */
  readonly maxBytes: number;
  readonly kind: BlockKind;
  readonly warn: (text: string) => void;
}

/** Fills [kind.bytes]; `false`: the content is not there any more. */
export type FillBlock = (content: Uint8Array) => boolean;

/** Blocks that wait to be written are only named, so this bounds little more than the time it takes. */
const mostQueued = 16_384;
/** A file system that answers no sooner is worse than computing again. */
const patienceMs = 10_000;
/** How long the end of the process may wait for blocks that are not written yet. */
const farewellMs = 5_000;
/** Of files with flaws. */
const mostWarnings = 5;
/** Of the bound: what is written between two looks at the folder, where others may write, too, and the room that is made at once. */
const roomShare = 1 / 32;

export class DiskCache {
  readonly #options: DiskCacheOptions;
  readonly #files: Map<string, StoredFile>;
  /** In order. `touch`: only its last use is to be written down. */
  readonly #queue = new Map<string, FillBlock | 'touch'>();
  /** A file being written, and one being read: [headerBytes + kind.bytes]. */
  readonly #outgoing: Buffer;
  readonly #incoming: Buffer;
  #bytes: number;
  /** Written since the last look at the folder. */
  #unseenBytes = 0;
  #writing: Promise<void> | undefined;
  #canWrite = true;
  #canRead = true;
  #flaws = 0;

  /** What is in the folder is known when this resolves. Throws when it cannot be read. */
  static async open(options: DiskCacheOptions): Promise<DiskCache> {
    return new DiskCache(options, await listFolder(options.folder));
  }

  private constructor(options: DiskCacheOptions, files: Map<string, StoredFile>) {
    this.#options = options;
    this.#files = files;
    this.#bytes = sum(files);
    const size = headerBytes + options.kind.bytes;
    this.#outgoing = Buffer.alloc(size);
    this.#incoming = Buffer.alloc(size);
  }

  /** What all files take, those of other models too. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether there is a file of this name; whether it holds the block is known when it is read. */
  has(key: string): boolean {
    return this.#canRead && this.#files.has(this.#nameOf(key));
  }

  /** The content, valid until the next call; calls never overlap. `undefined`: there is none that can be trusted. */
  async read(key: string): Promise<Uint8Array | undefined> {
    const name = this.#nameOf(key);
    if (!this.#canRead || !this.#files.has(name)) return undefined;
    const flaw = await withinPatience(this.#readFile(name, this.#incoming)).catch(reasonOf);
    if (flaw === undefined) return this.#incoming.subarray(headerBytes);
    this.#forget(name);
    if (flaw === late) {
      // The buffer is still being written to.
      this.#canRead = false;
      this.#disable(flaw);
    } else if (flaw !== missing && ++this.#flaws <= mostWarnings) {
      const rest = this.#flaws === mostWarnings ? '; further ones are not told' : '';
      this.#options.warn(`prefix cache: ${name} is not used, ${flaw}${rest}`);
    }
    return undefined;
  }

  /**
   * Keeps a block, or notes that it was used. It is written later, if `fill` still has it then and the disk takes it. A file that nobody
   * has looked into, though its block was computed now, is behind one that is damaged or gone: it is looked into before it is believed.
   */
  keep(key: string, fill: FillBlock): void {
    const name = this.#nameOf(key);
    const file = this.#files.get(name);
    if (file?.isVerified === true && !this.#use(name, file)) return;
    if (!this.#canWrite || this.#queue.has(name) || this.#queue.size >= mostQueued) return;
    this.#queue.set(name, file?.isVerified === true ? 'touch' : fill);
    this.#writing ??= Promise.resolve().then(() => this.#writeAll());
  }

  /** Resolves when nothing waits to be written. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  /** Writes what waits, as far as there is time. */
  async close(): Promise<void> {
    await Promise.race([this.flush(), later(farewellMs)]);
    this.#canWrite = false;
    this.#queue.clear();
  }

  #nameOf(key: string): string {
    return fileName(this.#options.kind, key);
  }

  /** Why it cannot be used. */
  async #readFile(name: string, buffer: Buffer): Promise<string | undefined> {
    const { folder, kind } = this.#options;
    // Links are none of our making; a pipe would never end.
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const file = await open(join(folder, name), flags);
    let flaw: string | undefined;
    try {
      const { size } = await file.stat();
      const count = size === buffer.length ? await readWhole(file, buffer) : 0;
      flaw = count < buffer.length ? `it has ${size} bytes` : flawOf(buffer, name, kind);
      const known = this.#files.get(name);
      const now = new Date();
      if (flaw === undefined && known !== undefined) {
        if (this.#use(name, known)) await touch(file.utimes(now, now));
        this.#files.set(name, { ...(this.#files.get(name) ?? known), isVerified: true });
      }
    } finally {
      await file.close();
    }
    if (flaw !== undefined) await remove(folder, name);
    return flaw;
  }

  /** Whether its last use before was some time ago. */
  #use(name: string, file: StoredFile): boolean {
    const now = Date.now();
    if (now - file.usedAt < sameTimeMs) return false;
    this.#files.set(name, { ...file, usedAt: now });
    return true;
  }

  async #writeAll(): Promise<void> {
    try {
      for (const [name, fill] of this.#queue) {
        if (fill === 'touch') {
          const now = new Date();
          await touch(utimes(join(this.#options.folder, name), now, now));
        } else if (this.#canWrite && !(await this.#isThere(name))) await this.#writeFile(name, fill);
        this.#queue.delete(name);
      }
    } catch (error) {
      this.#disable(reasonOf(error));
    } finally {
      this.#writing = undefined;
    }
  }

  async #isThere(name: string): Promise<boolean> {
    const file = this.#files.get(name);
    if (file === undefined || file.isVerified === true) return file !== undefined;
    const flaw = await this.#readFile(name, this.#outgoing).catch(reasonOf);
    if (flaw !== undefined) this.#forget(name);
    return flaw === undefined;
  }

  /** Nobody ever sees a file that is not whole: it gets its name when it is. Not synced: what a power cut tears fails its checksum. */
  async #writeFile(name: string, fill: FillBlock): Promise<void> {
    const { folder, kind } = this.#options;
    const bytes = fileBytes(kind);
    await this.#makeRoom(bytes);
    if (!fill(this.#outgoing.subarray(headerBytes))) return;
    sealBlock(this.#outgoing, name, kind);
    const temporary = temporaryName(name);
    try {
      const file = await open(join(folder, temporary), 'wx', 0o600);
      try {
        await writeWhole(file, this.#outgoing);
      } finally {
        await file.close();
      }
      await rename(join(folder, temporary), join(folder, name));
    } catch (error) {
      await remove(folder, temporary).catch(() => undefined);
      throw error;
    }
    this.#files.set(name, { bytes, usedAt: Date.now(), isVerified: true });
    this.#bytes += bytes;
    this.#unseenBytes += bytes;
  }

  async #makeRoom(bytes: number): Promise<void> {
    const { folder, maxBytes } = this.#options;
    if (this.#bytes + bytes <= maxBytes && this.#unseenBytes < maxBytes * roomShare) return;
    const files = await listFolder(folder);
    for (const [name, file] of files) {
      const { usedAt = 0, isVerified = false } = this.#files.get(name) ?? {};
      files.set(name, { ...file, usedAt: Math.max(usedAt, file.usedAt), isVerified });
    }
    this.#files.clear();
    for (const [name, file] of files) this.#files.set(name, file);
    this.#bytes = sum(files);
    this.#unseenBytes = 0;
    if (this.#bytes + bytes <= maxBytes) return;
    for (const name of oldest(files, maxBytes - Math.max(bytes, maxBytes * roomShare))) {
      await remove(folder, name);
      this.#forget(name);
    }
  }

  #forget(name: string): void {
    this.#bytes -= this.#files.get(name)?.bytes ?? 0;
    this.#files.delete(name);
  }

  #disable(reason: string): void {
    this.#queue.clear();
    if (!this.#canWrite) return;
    this.#canWrite = false;
    this.#options.warn(`prefix cache: nothing is written to ${this.#options.folder} any more: ${reason}`);
  }
}

const missing = 'it is gone';
const late = `the file system did not answer within ${patienceMs / 1000} s`;

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error && error.code === 'ENOENT' ? missing : error.message;
}

async function withinPatience<T>(work: Promise<T>): Promise<T> {
  const timer = new AbortController();
  try {
    return await Promise.race([work, later(patienceMs, timer.signal).then(() => Promise.reject(new Error(late)))]);
  } finally {
    timer.abort();
  }
}

/** Keeps no process alive. Never resolves when it is aborted before. */
function later(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms).unref();
    signal?.addEventListener('abort', () => clearTimeout(timer), { once: true });
  });
}

async function readWhole(file: FileHandle, buffer: Buffer): Promise<number> {
  let done = 0;
  while (done < buffer.length) {
    const { bytesRead } = await file.read(buffer, done, buffer.length - done, done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}

async function writeWhole(file: FileHandle, buffer: Buffer): Promise<void> {
  for (let done = 0; done < buffer.length;) {
    done += (await file.write(buffer, done, buffer.length - done, done)).bytesWritten;
  }
}

/** For the order in which files are thrown out after a restart, and by others. It may be gone, or belong to another user. */
async function touch(work: Promise<void>): Promise<void> {
  await work.catch(() => undefined);
}

function sum(files: ReadonlyMap<string, StoredFile>): number {
  let bytes = 0;
  for (const file of files.values()) bytes += file.bytes;
  return bytes;
}
