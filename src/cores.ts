// How many cores compute threads can really use.

import { readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';

/**
 * Physical cores, at most as many as this process may use (affinity, container quota). Two hardware threads of one core share its
 * vector units, so a second compute thread there brings nothing. Linux names the siblings of each thread in
 * /sys/devices/system/cpu; elsewhere the hardware threads are counted.
 */
export function physicalCores(read: (path: string) => string = (path) => readFileSync(path, 'utf8')): number {
  const threads = Math.max(1, cpus().length);
  const cores = new Set<string>();
  try {
    for (let cpu = 0; cpu < threads; cpu++) {
      cores.add(read(`/sys/devices/system/cpu/cpu${cpu}/topology/thread_siblings_list`).trim());
    }
  } catch {
    return availableParallelism();
  }
  return Math.max(1, Math.min(cores.size, availableParallelism()));
}
