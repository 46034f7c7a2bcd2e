// Where keys come from: --api-key, its variable, and files that are read again on SIGHUP.

import { readFileSync } from 'node:fs';
import type { Config } from './config.ts';
import type { Log } from './core/log.ts';
import { KeyError, Keys, readKey, type ApiKey } from './http/keys.ts';
import { exitCodes, StartError } from './start-error.ts';

type KeySources = Pick<Config, 'apiKeys' | 'apiKeyFiles'>;

/** `undefined`: the server has no keys and asks for none. A file without keys is an error: it must not open the server. */
export function loadKeys(sources: KeySources): Keys | undefined {
  if (sources.apiKeys.length === 0 && sources.apiKeyFiles.length === 0) return undefined;
  try {
    return new Keys(readSources(sources));
  } catch (error) {
    if (!(error instanceof KeyError)) throw error;
    throw new StartError(`the keys cannot be used: ${error.message}`, { remedy });
  }
}

/**
 * Reads the files again at each SIGHUP; when that fails, the keys stay as they were. Without files, and on a terminal, the signal keeps its
 * meaning: the terminal is gone, so the server ends.
 */
export function reloadOnHangup(keys: Keys, sources: KeySources, { log, isTerminal }: ReloadOptions): void {
  if (sources.apiKeyFiles.length === 0 || isTerminal) return;
  process.on('SIGHUP', () => {
    try {
      keys.replace(readSources(sources));
      log.info('the keys were read again', { keys: keys.size });
    } catch (error) {
      log.error('the keys could not be read again; those from before still hold', { error });
    }
  });
}

interface ReloadOptions {
  readonly log: Log;
  readonly isTerminal: boolean;
}

const remedy = 'one key per line, as KEY or NAME:KEY; lines that begin with # are comments';

function readSources({ apiKeys, apiKeyFiles }: KeySources): ApiKey[] {
  const all = [...apiKeys];
  for (const path of apiKeyFiles) {
    const keys = readKeyFile(path);
    // Also when other sources have keys: somebody thinks that there are some in it.
    if (keys.length === 0) throw new StartError(`${path} holds no keys`, { remedy });
    all.push(...keys);
  }
  return all;
}

/** Far more than anybody has keys; a model given by mistake is not read. */
const largestFile = 2 ** 20;

function readKeyFile(path: string): ApiKey[] {
  const lines = readText(path).split('\n');
  return lines.flatMap((line, index) => {
    const text = line.trim();
    if (text === '' || text.startsWith('#')) return [];
    try {
      return [readKey(text)];
    } catch (error) {
      if (!(error instanceof KeyError)) throw error;
      throw new StartError(`line ${index + 1} of ${path} is no key: ${error.message}`, { remedy });
    }
  });
}

function readText(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new StartError(`the key file ${path} cannot be read (${code})`, {
      remedy: 'give the path of a text file that this user may read',
      exitCode: code === 'ENOENT' ? exitCodes.notFound : exitCodes.failed,
      cause: error,
    });
  }
  if (text.length > largestFile) throw new StartError(`${path} is larger than 1 MiB: that is no key file`, { remedy });
  return text;
}
