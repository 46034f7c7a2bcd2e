// A barrier of all compute threads, and the chunk counters. A thread that arrives early spins for a while, then sleeps; the last one
// wakes the sleepers, if any (measured: 0.1 us spinning, 5 us through the kernel).
//
//   sync area:   0 arrived    64 generation    128 sleepers    132 spins before sleeping
//                192.. chunk counters: [stages of a phase][threads], a cache line each; every phase begins with zeros

const GENERATION: usize = 64;
const SLEEPERS: usize = 128;
const SPINS: usize = 132;
export const COUNTERS: usize = 192;

/** The counters of stage number `stage` of a phase; that of thread t is t << COUNTER_SHIFT behind. */
export const COUNTER_SHIFT: usize = 6;
// @ts-ignore: decorator
@inline export function countersOf(sync: usize, stage: u32, threads: i32): usize {
  return sync + COUNTERS + (<usize>stage * <usize>threads << COUNTER_SHIFT);
}

/** Waits for all `threads`. The last one also resets the counters of the first `stages` stages. */
export function barrier(sync: usize, threads: i32, stages: u32): void {
  const generation = atomic.load<i32>(sync + GENERATION);
  if (atomic.add<i32>(sync, 1) == threads - 1) {
    atomic.store<i32>(sync, 0);
    const end = countersOf(sync, stages, threads);
    for (let counter = sync + COUNTERS; counter < end; counter += 1 << COUNTER_SHIFT) atomic.store<u32>(counter, 0);
    atomic.store<i32>(sync + GENERATION, generation + 1);
    if (atomic.load<i32>(sync + SLEEPERS) > 0) atomic.notify(sync + GENERATION, -1);
    return;
  }
  const spins = load<i32>(sync + SPINS);
  for (let i = 0; i < spins; i++) {
    if (atomic.load<i32>(sync + GENERATION) != generation) return;
  }
  atomic.add<i32>(sync + SLEEPERS, 1);
  while (atomic.load<i32>(sync + GENERATION) == generation) atomic.wait<i32>(sync + GENERATION, generation, -1);
  atomic.sub<i32>(sync + SLEEPERS, 1);
}
