// The folder of the prefix cache, where one is asked for: can it be written to, and has the disk room.

import { statfs } from 'node:fs/promises';
import type { Config } from '../config.ts';
import { mebibytes } from '../core/units.ts';
import { prefixCacheFolder } from '../prefix-cache-flags.ts';
import { failed, type Check } from './check.ts';

export async function checkPrefixFolder(config: Config): Promise<readonly Check[]> {
  const name = 'prefix cache';
  try {
    const folder = await prefixCacheFolder(config);
    if (folder === undefined) return [];
    const { bavail, bsize } = await statfs(folder.path);
    const [freeBytes, maxBytes] = [bavail * bsize, folder.maxBytes];
    // Folders stay out of a report that may be published.
    const facts = { freeBytes, maxBytes };
    const text = `prefix cache: the folder can be written to, ${mebibytes(freeBytes)} of the disk are free; it may take ${mebibytes(maxBytes)}`;
    return [{ name, status: 'ok', text, facts }];
  } catch (error) {
    return [failed(name, error)];
  }
}
