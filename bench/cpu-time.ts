// CPU time of processes, as Linux tells it to the nanosecond.

import { readdirSync, readFileSync } from 'node:fs';
import { sum } from './statistics.ts';

/** Time that the threads of a process have had a core; `NaN` where the system does not tell. Threads that ended are forgotten. */
export function cpuMsOf(pid: number): number {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    return sum(threads.map((thread) => nanoseconds(`/proc/${pid}/task/${thread}/schedstat`))) / 1e6;
  } catch {
    return Number.NaN;
  }
}

/** The same of this process's main thread alone, in microseconds. */
export function mainThreadCpuUs(): number {
  try {
    return nanoseconds(`/proc/self/task/${process.pid}/schedstat`) / 1000;
  } catch {
    return Number.NaN;
  }
}

function nanoseconds(path: string): number {
  return Number(readFileSync(path, 'utf8').split(' ')[0]);
}
