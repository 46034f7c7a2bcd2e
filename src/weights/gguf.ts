// Opens GGUF models: finds the parts, reads their headers, and joins them into one checkpoint. Tensor data is never read here.

import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { CheckpointError } from './checkpoint.ts';
import type { Checkpoint, TensorInfo, UnsupportedTensor } from './checkpoint.ts';
import { readHeader } from './gguf-header.ts';
import type { GgufHeader } from './gguf-header.ts';
import { findParts, isSystemError, partOfName, reasonOf } from './gguf-parts.ts';
import { quote } from './quote.ts';

/**
 * `path`: a GGUF file, any part of a split one (all are opened), or a folder that holds exactly one model.
 * Every failure is a `CheckpointError` that names the file and says what to do.
 */
export async function openCheckpoint(path: string): Promise<Checkpoint> {
  return joinParts(await openParts(path));
}

/** One file of a model. */
export interface GgufFile extends GgufHeader {
  readonly file: string;
  readonly fileBytes: number;
}

/** The headers of all parts of the model at `path`, in order. */
export async function openParts(path: string): Promise<readonly GgufFile[]> {
  const files: GgufFile[] = [];
  for (const file of await findParts(path)) files.push(await openFile(file));
  return files;
}

/** Metadata of the first part, tensors of all. */
export function joinParts(parts: readonly GgufFile[]): Checkpoint {
  checkSplit(parts);
  const tensors = new Map<string, TensorInfo>();
  const unsupported = new Map<string, UnsupportedTensor>();
  let tensorBytes = 0;
  for (const { file, tensors: infos } of parts) {
    for (const { name, shape, typeId, dtype, offset, bytes } of infos) {
      if (tensors.has(name) || unsupported.has(name)) {
        throw new CheckpointError(
          `${file}: the tensor ${quote(name)} is in another part as well. Fetch all parts again.`,
        );
      }
      if (dtype === undefined || bytes === undefined) {
        unsupported.set(name, { name, shape, typeId, file, offset });
        continue;
      }
      tensors.set(name, { name, shape, dtype, file, offset, bytes });
      tensorBytes += bytes;
    }
  }
  return { files: parts.map(({ file }) => file), metadata: parts[0].metadata, tensors, tensorBytes, unsupported };
}

async function openFile(file: string): Promise<GgufFile> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(file, 'r');
    const stats = await handle.stat();
    if (!stats.isFile()) throw new CheckpointError(`${file} is not a file. Give the path of a GGUF model.`);
    const { size } = stats;
    const read = async (target: Uint8Array, position: number): Promise<number> => {
      const { bytesRead } = (await handle?.read(target, 0, target.length, position)) ?? { bytesRead: 0 };
      return bytesRead;
    };
    return { file, fileBytes: size, ...(await readHeader({ name: file, size, read })) };
  } catch (cause) {
    // Only what the file system says is about the file; anything else is a bug of ours and must look like one.
    if (!isSystemError(cause)) throw cause;
    throw new CheckpointError(`cannot read ${file}: ${reasonOf(cause)}`, { cause });
  } finally {
    await handle?.close();
  }
}

/** The split keys, where a file has them (early splits have none), must agree with its name. */
function checkSplit(parts: readonly GgufFile[]): void {
  for (const [i, { file, metadata }] of parts.entries()) {
    const count = metadata['split.count'] ?? parts.length;
    const number = metadata['split.no'] ?? i;
    if (count === 0 && parts.length === 1) continue;
    if (count === parts.length && number === i) continue;
    const name = partOfName(file) === undefined ? ' Give it back its name NAME-00001-of-00002.gguf.' : '';
    throw new CheckpointError(
      `${file} says it is part ${Number(number) + 1} of ${String(count)}, but was opened as part ${i + 1} of ${parts.length}.${name}`,
    );
  }
  const promised = parts[0].metadata['split.tensors.count'];
  const found = parts.reduce((sum, { tensors }) => sum + tensors.length, 0);
  if (parts.length > 1 && promised !== undefined && promised !== found) {
    throw new CheckpointError(
      `the parts of ${parts[0].file} have ${found} tensors, its header promises ${String(promised)}. Fetch all parts again.`,
    );
  }
}
