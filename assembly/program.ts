// Runs this thread's share of a list of records. Each thread has its own part of the items and goes through it from first to last, so
// that what it reads from memory is one stream; whoever is done takes chunks of the others' parts, so that a thread which is descheduled
// costs one chunk. Joined records make a stage: a chunk goes through all of them. Stages beside each other make a phase: a barrier ends
// it. Which thread computes an item never changes its bits.

import { barrier, COUNTER_SHIFT, countersOf } from './barrier';
import { RECORD_BYTES, Link, Opcode, itemCount, linkOf, word } from './record';
import { embed } from './gather';
import { rmsNorm } from './norm';
import { quantize } from './quantize';
import { linearFloat, linearPanels, linearStored } from './matmul/linear';
import { BF16, F16, F32 } from './matmul/float';
import { Q4_0, Q4_1, Q5_0, Q5_1, Q8_0 } from './format/simple';
import { Q4_K, Q5_K, Q6_K } from './format/k';
import { U16, U32 } from './format/unpacked';
import { Q2_K, Q3_K } from './unpack/k';
import { IQ4_NL, IQ4_XS, MXFP4, NVFP4 } from './unpack/levels';
import { IQ3_S, IQ3_XXS } from './unpack/lattice';
import { TQ1_0, TQ2_0 } from './unpack/ternary';
import { Bytes, Nibbles, Smalls } from './simd';
import { add, addBias, gate, select } from './elementwise';
import { rope } from './rope';
import { storeKv } from './store';
import { attention } from './attention';
import { mergeSplits } from './merge';

/** `thread`: number of this one, from 0. `scratch`: its own bytes. */
export function run(records: usize, count: u32, batch: usize, sync: usize, threads: i32, thread: i32, scratch: usize): void {
  let stage: u32 = 0;
  let stages: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const link = linkOf(records + <usize>i * RECORD_BYTES);
    if (link == Link.JOINED) continue;
    work(records + <usize>stage * RECORD_BYTES, i + 1 - stage, batch, countersOf(sync, stages, threads), threads, thread, scratch);
    stage = i + 1;
    stages++;
    if (link == Link.BESIDE) continue;
    barrier(sync, threads, stages);
    stages = 0;
  }
}

/** This thread's share of a stage of `count` joined records, without the barrier behind it. `counters`: of the stage. */
export function work(
  records: usize,
  count: u32,
  batch: usize,
  counters: usize,
  threads: i32,
  thread: i32,
  scratch: usize,
): void {
  const items = itemCount(records, batch);
  const size = word(records, 3);
  const chunks = (items + size - 1) / size;
  const end = records + <usize>count * RECORD_BYTES;
  let owner = <u32>thread;
  for (let left = threads; left > 0; left--) {
    const last = partStart(chunks, owner + 1, threads);
    const first = partStart(chunks, owner, threads);
    const counter = counters + (<usize>owner << COUNTER_SHIFT);
    while (first + atomic.load<u32>(counter) < last) {
      const chunk = first + atomic.add<u32>(counter, 1);
      if (chunk >= last) break;
      const from = chunk * size;
      const to = min(from + size, items);
      for (let record = records; record < end; record += RECORD_BYTES) execute(record, batch, from, to, scratch);
    }
    if (++owner == <u32>threads) owner = 0;
  }
}

/** First chunk of a thread's part. */
// @ts-ignore: decorator
@inline function partStart(chunks: u32, owner: u32, threads: i32): u32 {
  return <u32>((<u64>chunks * <u64>owner) / <u64>threads);
}

function execute(record: usize, batch: usize, from: u32, to: u32, scratch: usize): void {
  switch (word(record, 0)) {
    case Opcode.EMBED: embed(record, batch, from, to, scratch); break;
    case Opcode.RMS_NORM: rmsNorm(record, from, to); break;
    case Opcode.QUANTIZE: quantize(record, batch, from, to); break;
    case Opcode.BIAS: addBias(record, from, to); break;
    case Opcode.ADD: add(record, from, to); break;
    case Opcode.GATE: gate(record, from, to); break;
    case Opcode.ROPE: rope(record, batch, from, to); break;
    case Opcode.STORE: storeKv(record, batch, from, to, scratch); break;
    case Opcode.ATTENTION: attention(record, batch, from, to, scratch); break;
    case Opcode.MERGE: mergeSplits(record, batch, from, to, scratch); break;
    case Opcode.SELECT: select(record, batch, from, to); break;
    case Opcode.LINEAR_F32: linearFloat<F32>(record, batch, from, to); break;
    case Opcode.LINEAR_F16: linearFloat<F16>(record, batch, from, to); break;
    case Opcode.LINEAR_BF16: linearFloat<BF16>(record, batch, from, to); break;
    case Opcode.LINEAR_Q8_0: linearPanels<Q8_0, Bytes, U32>(record, batch, from, to, scratch); break;
    case Opcode.LINEAR_Q4_0: linearPanels<Q4_0, Nibbles, U32>(record, batch, from, to, scratch); break;
    case Opcode.LINEAR_Q4_1: linearPanels<Q4_1, Nibbles, U32>(record, batch, from, to, scratch); break;
    case Opcode.LINEAR_Q5_0: linearPanels<Q5_0, Smalls, U32>(record, batch, from, to, scratch); break;
    case Opcode.LINEAR_Q5_1: linearPanels<Q5_1, Smalls, U32>(record, batch, from, to, scratch); break;
    case Opcode.LINEAR_Q4_K: linearPanels<Q4_K, Nibbles, U32>(record, batch, from, to, scratch); break;
    case Opcode.LINEAR_Q5_K: linearPanels<Q5_K, Smalls, U32>(record, batch, from, to, scratch); break;
    case Opcode.LINEAR_Q6_K: linearPanels<Q6_K, Smalls, U16>(record, batch, from, to, scratch); break;
    case Opcode.LINEAR_Q2_K: linearStored<Q2_K, Nibbles, U16>(record, batch, from, to, scratch); break;
    case Opcode.LINEAR_Q3_K: linearStored<Q3_K, Nibbles, U16>(record, batch, from, to, scratch); break;
    case Opcode.LINEAR_IQ4_NL: linearStored<IQ4_NL, Bytes, U32>(record, batch, from, to, scratch); break;
    case Opcode.LINEAR_IQ4_XS: linearStored<IQ4_XS, Bytes, U32>(record, batch, from, to, scratch); break;
    case Opcode.LINEAR_IQ3_XXS: linearStored<IQ3_XXS, Smalls, U32>(record, batch, from, to, scratch); break;
    case Opcode.LINEAR_IQ3_S: linearStored<IQ3_S, Smalls, U32>(record, batch, from, to, scratch); break;
    case Opcode.LINEAR_MXFP4: linearStored<MXFP4, Smalls, U32>(record, batch, from, to, scratch); break;
    case Opcode.LINEAR_NVFP4: linearStored<NVFP4, Smalls, U16>(record, batch, from, to, scratch); break;
    case Opcode.LINEAR_TQ1_0: linearStored<TQ1_0, Nibbles, U32>(record, batch, from, to, scratch); break;
    case Opcode.LINEAR_TQ2_0: linearStored<TQ2_0, Nibbles, U32>(record, batch, from, to, scratch); break;
    default: unreachable();
  }
}
