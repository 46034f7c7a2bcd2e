// A barrier of all compute threads, and the chunk counters. A thread that arrives early spins for a while, then sleeps; the last one
// wakes the sleepers, if any (measured: 0.1 us spinning, 5 us through the kernel).
//
//   sync area:   0 arrived    64 generation    128 sleepers    132 spins before sleeping    192.. one chunk counter per record

const GENERATION: usize = 64;
const SLEEPERS: usize = 128;
const SPINS: usize = 132;
export const COUNTERS: usize = 192;

/** Waits for all `threads`. The last one also resets `count` chunk counters from `counter` on. */
export function barrier(sync: usize, threads: i32, counter: usize, count: u32): void {
  const generation = atomic.load<i32>(sync + GENERATION);
  if (atomic.add<i32>(sync, 1) == threads - 1) {
    atomic.store<i32>(sync, 0);
    for (let i: u32 = 0; i < count; i++) atomic.store<i32>(counter + (<usize>i << 2), 0);
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
