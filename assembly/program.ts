// Runs this thread's share of a list of records. Work items are taken in chunks from a shared counter, so that a thread which is
// descheduled costs one chunk; a barrier ends every record. Which thread computes an item never changes its bits.

import { barrier, COUNTERS } from './barrier';
import { RECORD_BYTES, Opcode, itemCount, word } from './record';
import { embed } from './gather';
import { rmsNorm } from './norm';
import { quantize } from './quantize';
import { linearF32 } from './matmul/f32';
import { linearF16 } from './matmul/f16';
import { linearQ8 } from './matmul/q8_0';
import { linearQ4 } from './matmul/q4_0';
import { add, addBias, gate, select } from './elementwise';
import { rope } from './rope';
import { storeKv } from './store';
import { attention } from './attention';

/** `scratch`: this thread's own bytes, see SCRATCH_BYTES of the host. */
export function run(records: usize, count: u32, batch: usize, sync: usize, threads: i32, scratch: usize): void {
  for (let i: u32 = 0; i < count; i++) {
    const record = records + <usize>i * RECORD_BYTES;
    const counter = sync + COUNTERS + (<usize>i << 2);
    const items = itemCount(record, batch);
    const size = word(record, 3);
    for (;;) {
      const from = atomic.add<u32>(counter, 1) * size;
      if (from >= items) break;
      execute(record, batch, from, min(from + size, items), scratch);
    }
    barrier(sync, threads, counter);
  }
}

function execute(record: usize, batch: usize, from: u32, to: u32, scratch: usize): void {
  switch (word(record, 0)) {
    case Opcode.EMBED: embed(record, batch, from, to); break;
    case Opcode.RMS_NORM: rmsNorm(record, from, to); break;
    case Opcode.QUANTIZE: quantize(record, from, to); break;
    case Opcode.LINEAR_F32: linearF32(record, batch, from, to); break;
    case Opcode.LINEAR_F16: linearF16(record, batch, from, to); break;
    case Opcode.LINEAR_Q8_0: linearQ8(record, batch, from, to); break;
    case Opcode.LINEAR_Q4_0: linearQ4(record, batch, from, to); break;
    case Opcode.BIAS: addBias(record, from, to); break;
    case Opcode.ADD: add(record, from, to); break;
    case Opcode.GATE: gate(record, from, to); break;
    case Opcode.ROPE: rope(record, batch, from, to); break;
    case Opcode.STORE: storeKv(record, batch, from, to); break;
    case Opcode.ATTENTION: attention(record, batch, from, to, scratch); break;
    case Opcode.SELECT: select(record, batch, from, to); break;
    default: unreachable();
  }
}
