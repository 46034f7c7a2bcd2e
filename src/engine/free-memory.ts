// How much memory this process may still take. The kernel's own estimate, and the limits of the control groups above us (containers,
// service managers): there the cache of files counts as used, though it is given up on demand. Node's own answer counts it as lost,
// which would refuse a model in a container only because its file had just been read.

import { readFileSync } from 'node:fs';
import { freemem, totalmem } from 'node:os';
import { dirname } from 'node:path';

export interface FreeMemory {
  /** Without taking anything from other programs. */
  readonly freeBytes: number;
  /** With what can be swapped out. More than this cannot be had. */
  readonly limitBytes: number;
}

export interface MemorySources {
  readonly platform?: NodeJS.Platform;
  /** Text of a file; throws where there is none. */
  readonly read?: (path: string) => string;
}

export function freeMemory(sources: MemorySources = {}): FreeMemory {
  const { platform = process.platform, read = (path) => readFileSync(path, 'utf8') } = sources;
  // macOS fills what is free with caches and compresses on demand: only the total says something.
  if (platform === 'darwin') return { freeBytes: totalmem(), limitBytes: totalmem() };
  if (platform !== 'linux') return { freeBytes: freemem(), limitBytes: totalmem() };
  try {
    const machine = countersOf(read('/proc/meminfo'));
    const available = machine('MemAvailable') * 1024;
    const swap = machine('SwapFree') * 1024;
    const room = groupRoom(read);
    return { freeBytes: Math.min(available, room), limitBytes: Math.min(available + swap, room) };
  } catch {
    return { freeBytes: process.availableMemory(), limitBytes: totalmem() };
  }
}

/** What the tightest of our control groups leaves; Infinity without limits. */
function groupRoom(read: (path: string) => string): number {
  let room = Infinity;
  for (const line of lines(read, '/proc/self/cgroup')) {
    // `0::/path` is version 2, `4:memory:/path` version 1.
    const [id, controllers, path] = line.split(':');
    const isMemory = id === '0' || controllers.split(',').includes('memory');
    if (!isMemory) continue;
    const [root, files] = id === '0' ? ['/sys/fs/cgroup', version2] : ['/sys/fs/cgroup/memory', version1];
    // A limit may be set at any level. Inside a container the path may be the host's, of which only the root is seen.
    for (let folder = path; ; folder = dirname(folder)) {
      room = Math.min(room, roomOf(read, `${root}${folder === '/' ? '' : folder}`, files));
      if (folder === '/' || folder === '.') break;
    }
  }
  return room;
}

interface GroupFiles {
  readonly limit: string;
  readonly used: string;
  /** Counters of memory.stat that are given up on demand. */
  readonly caches: readonly string[];
}

const version2: GroupFiles = { limit: 'memory.max', used: 'memory.current', caches: ['active_file', 'inactive_file'] };
const version1: GroupFiles = {
  limit: 'memory.limit_in_bytes',
  used: 'memory.usage_in_bytes',
  caches: ['total_active_file', 'total_inactive_file'],
};

function roomOf(read: (path: string) => string, folder: string, { limit, used, caches }: GroupFiles): number {
  const bytes = Number(lines(read, `${folder}/${limit}`)[0]);
  // `max`, a missing file, or version 1's way to say that there is no limit: nearly 2^63.
  if (Number.isNaN(bytes) || bytes >= 2 ** 60) return Infinity;
  const stat = countersOf(lines(read, `${folder}/memory.stat`).join('\n'));
  const cached = caches.reduce((sum, name) => sum + stat(name), 0);
  return Math.max(0, bytes - Number(lines(read, `${folder}/${used}`)[0]) + cached);
}

/** None where there is no such file. */
function lines(read: (path: string) => string, path: string): string[] {
  try {
    return read(path).trim().split('\n');
  } catch {
    return [];
  }
}

/** `name: 12 kB` or `name 12` -> 12; 0 for names that are not there. */
function countersOf(text: string): (name: string) => number {
  return (name) => Number(new RegExp(`^${name}:?\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0);
}
