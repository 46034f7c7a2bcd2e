// Which sequences take part in the next forward pass, and with how many tokens each.
//
//   waiting --admit (all blocks of its known ids are free)--> running --finish, cancel, fail--> gone
//      ^------------------ pre-empt (blocks ran out) ------------'
//
// Decoding sequences come first, one token each, so that a long prompt never stalls running streams; prompts share what is left
// of the token budget, in chunks. Order within each: rank (priority, then arrival).

import { invariant } from '../core/errors.ts';
import type { BlockPool } from './block-pool.ts';
import { byRank, type Sequence } from './sequence.ts';

export interface SchedulerLimits {
  /** Tokens of one forward pass. */
  readonly batchTokens: number;
  /** Sequences that hold blocks at once. */
  readonly sequences: number;
  /** Sequences that may wait beyond those that a free place awaits. */
  readonly waiting: number;
}

/** The next `count` pending ids of a sequence are to be computed. */
export interface Scheduled {
  readonly sequence: Sequence;
  readonly count: number;
}

export class Scheduler {
  readonly #limits: SchedulerLimits;
  readonly #pool: BlockPool;
  /** Both in order of rank. */
  readonly #waiting: Sequence[] = [];
  readonly #running: Sequence[] = [];
  #preemptions = 0;

  /** Every sequence must fit into the pool alone, else the first in line could wait forever: the caller's promise. */
  constructor(limits: SchedulerLimits, pool: BlockPool) {
    invariant(limits.sequences > 0, 'at least one sequence runs');
    invariant(limits.batchTokens >= limits.sequences, 'every decoding sequence has a token in each batch');
    this.#limits = limits;
    this.#pool = pool;
  }

  get running(): number {
    return this.#running.length;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** So far. */
  get preemptions(): number {
    return this.#preemptions;
  }

  /** Whether one more may queue: places of the batch that are still free do not count as waiting. */
  get hasRoom(): boolean {
    return this.#waiting.length < this.#limits.waiting + this.#limits.sequences - this.#running.length;
  }

  add(sequence: Sequence): void {
    invariant(this.hasRoom, 'nothing is added to a full queue');
    insert(this.#waiting, sequence);
  }

  /** Takes a sequence out, wherever it is, and frees its blocks. Never while a forward pass is using them. */
  remove(sequence: Sequence): void {
    const list = sequence.status === 'running' ? this.#running : this.#waiting;
    const index = list.indexOf(sequence);
    invariant(index >= 0, 'only known sequences are removed');
    list.splice(index, 1);
    sequence.evict(this.#pool);
    sequence.status = 'done';
  }

  /** The work of the next step; empty only when there are no sequences at all. */
  schedule(): Scheduled[] {
    const work: Scheduled[] = [];
    let budget = this.#limits.batchTokens;
    const take = (sequence: Sequence, count: number): number => {
      work.push({ sequence, count });
      return count;
    };

    // Victims are taken from the end of the list, so they are never among those already scheduled.
    for (const sequence of this.#running) {
      if (sequence.pending === 1 && this.#makeRoom(sequence)) budget -= take(sequence, 1);
    }
    for (const sequence of this.#running) {
      if (sequence.pending > 1 && budget > 0) budget -= take(sequence, Math.min(sequence.pending, budget));
    }
    while (budget > 0 && this.#running.length < this.#limits.sequences) {
      const sequence = this.#waiting[0];
      // The first in line is never overtaken by a smaller one: otherwise long prompts would starve.
      if (sequence === undefined || !sequence.reserve(this.#pool)) break;
      this.#waiting.shift();
      sequence.status = 'running';
      insert(this.#running, sequence);
      budget -= take(sequence, Math.min(sequence.pending, budget));
    }
    return work;
  }

  /** Finds the block that a decoding sequence needs at a block's edge; pre-empts only sequences that rank below it. */
  #makeRoom(sequence: Sequence): boolean {
    while (!sequence.reserve(this.#pool)) {
      const victim = this.#running.at(-1);
      // The last in rank sits this step out with what it holds, until somebody ends or needs its blocks.
      if (victim === undefined || victim === sequence) return false;
      this.#running.pop();
      victim.evict(this.#pool);
      this.#preemptions++;
      victim.status = 'waiting';
      insert(this.#waiting, victim);
    }
    return true;
  }
}

/** Inserts by rank; newcomers mostly go to the end. */
function insert(list: Sequence[], sequence: Sequence): void {
  let index = list.length;
  while (index > 0 && byRank(sequence, list[index - 1]) < 0) index--;
  list.splice(index, 0, sequence);
}
