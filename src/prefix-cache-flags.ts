// The prefix cache as flags: whether there is one, and the folder in which it outlives the server.

import { resolve } from 'node:path';
import { checkFolder } from './engine/disk/folder.ts';
import type { LoadOptions } from './engine/messages.ts';
import { nonEmpty, oneOf, sizeWithin, UsageError } from './flag-values.ts';
import type { Flag } from './flags.ts';
import { StartError } from './start-error.ts';

export interface PrefixCacheConfig {
  readonly prefixCache: boolean;
  /** `undefined`: in memory only. */
  readonly prefixCacheDir: string | undefined;
  /** Most that the files in it may take. */
  readonly prefixCacheDirBytes: number;
}

export const prefixCacheFlags: { readonly [K in keyof PrefixCacheConfig]: Flag<PrefixCacheConfig[K]> } = {
  prefixCache: {
    name: 'prefix-cache',
    group: 'Engine',
    value: 'MODE',
    text: 'on, or off: whether a prompt that begins like an earlier one of the same key takes over what was computed for that',
    parse: (text) => oneOf(['on', 'off'])(text) === 'on',
    fallback: () => true,
    fallbackText: 'on',
  },
  prefixCacheDir: {
    name: 'prefix-cache-dir',
    group: 'Engine',
    value: 'PATH',
    text: 'folder in which the prefix cache outlives the server: who may read it can learn what was asked, who may write it can change answers',
    parse: nonEmpty,
    fallback: () => undefined,
    fallbackText: 'none, it is in memory only',
  },
  prefixCacheDirBytes: {
    name: 'prefix-cache-dir-limit',
    group: 'Engine',
    value: 'SIZE',
    text: 'most that this folder may take, as 20GiB; what was not used for longest is removed',
    parse: sizeWithin('1KiB', '16TiB', '20GiB'),
    fallback: () => 4 * 2 ** 30,
    fallbackText: '4GiB',
  },
};

/** Throws `UsageError`. */
export function checkPrefixCache({ prefixCache, prefixCacheDir }: PrefixCacheConfig): void {
  if (prefixCache || prefixCacheDir === undefined) return;
  throw new UsageError('--prefix-cache is off and --prefix-cache-dir names a folder for it: leave one of them out');
}

/** What the engine is told of it. Throws `StartError` when nothing can be written there: later, that would only be a warning. */
export async function prefixCacheFolder({
  prefixCacheDir,
  prefixCacheDirBytes: maxBytes,
}: PrefixCacheConfig): Promise<LoadOptions['prefixCacheFolder']> {
  if (prefixCacheDir === undefined) return undefined;
  const path = resolve(prefixCacheDir);
  try {
    await checkFolder(path);
  } catch (cause) {
    throw new StartError(cause instanceof Error ? cause.message : String(cause), {
      remedy: 'give --prefix-cache-dir a folder on a disk with room, which this user may write to, or leave it out',
      cause,
    });
  }
  return { path, maxBytes };
}
