// Which sequences take part in the next forward pass, and with how many tokens each.
//
//   waiting --admit (all blocks of its known ids are free)--> running --finish, cancel, fail--> gone
//      ^------------------ pre-empt (blocks ran out) ------------'
//
// Decoding sequences come first, one token each, so that a long prompt never stalls running streams; prompts share what is left
// of the token budget, in chunks. Where no prompt is read, sequences may also test guesses of what follows.

import { invariant } from '../core/errors.ts';
import { mayQueue } from './queue-share.ts';
import { byRank, type KvStore, type Sequence } from './sequence.ts';
import type { Speculation } from './speculation/speculation.ts';
import { TenantTurns } from './tenant-turns.ts';

export interface SchedulerLimits {
  /** Tokens of one forward pass. */
  readonly batchTokens: number;
  /** Rows of logits of one forward pass. */
  readonly outputs: number;
  /** Sequences that hold blocks at once. */
  readonly sequences: number;
  /** Requests that may wait beyond those that free places await; with several tenants up to twice as many (queue-share.ts). */
  readonly waiting: number;
}

/** The next `count` pending ids of a sequence are to be computed. */
export interface Scheduled {
  readonly sequence: Sequence;
  readonly count: number;
}

/** Tokens of prompts that a pass may hold beside `decoding` sequences; more than the batch has room for is no mistake. */
export type PromptBudget = (decoding: number) => number;

export class Scheduler {
  readonly #limits: SchedulerLimits;
  readonly #store: KvStore;
  /** Both in order of rank. */
  readonly #waiting: Sequence[] = [];
  readonly #running: Sequence[] = [];
  readonly #turns = new TenantTurns();
  readonly #speculation: Speculation | undefined;
  #preemptions = 0;

  /** Every sequence must fit into the pool alone, else the first in line could wait forever: the caller's promise. */
  constructor(limits: SchedulerLimits, store: KvStore, speculation?: Speculation) {
    invariant(limits.sequences > 0, 'at least one sequence runs');
    invariant(limits.batchTokens >= limits.sequences, 'every decoding sequence has a token in each batch');
    invariant(limits.outputs >= limits.sequences, 'every sequence has a row of logits in each batch');
    this.#limits = limits;
    this.#store = store;
    this.#speculation = speculation;
  }

  get running(): number {
    return this.#running.length;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** How often a sequence lost its blocks to another, so far. */
  get preemptions(): number {
    return this.#preemptions;
  }

  /** Whether one of this tenant that takes so many places may queue. Those that free places await do not count as waiting. */
  hasRoom(places: number, tenant: string): boolean {
    let free = this.#freePlaces;
    const queued: string[] = [];
    const all = this.#waiting.map((sequence) => ({ places: sequence.places, tenant: sequence.options.tenant }));
    for (const next of [...all, { places, tenant }]) {
      // Nobody overtakes the first that does not fit.
      if (queued.length === 0 && next.places <= free) free -= next.places;
      else queued.push(next.tenant);
    }
    const running = this.#running.map(({ options }) => options.tenant);
    return mayQueue({ waiting: queued, running, newcomer: tenant, limit: this.#limits.waiting });
  }

  add(sequence: Sequence): void {
    invariant(this.hasRoom(sequence.places, sequence.options.tenant), 'nothing is added to a full queue');
    insert(this.#waiting, sequence);
  }

  /** A continuation of a running sequence, for which that one kept a place. It runs at once if there are blocks for it. */
  addFork(fork: Sequence): void {
    if (fork.reserve(this.#store)) this.#run(fork);
    else this.#suspend(fork);
  }

  /** Takes a sequence out, wherever it is, and frees its blocks. Never while a forward pass is using them. */
  remove(sequence: Sequence): void {
    take(sequence.status === 'running' ? this.#running : this.#waiting, sequence);
    sequence.evict(this.#store.pool);
    sequence.status = 'done';
  }

  /** The work of the next step; empty only when there are no sequences at all, or all are being restored. */
  schedule(promptBudget: PromptBudget = () => Infinity): Scheduled[] {
    const decoding: Scheduled[] = [];
    // Victims are taken from the end of the list, so they are never among those already scheduled.
    for (const sequence of this.#running) {
      if (sequence.pending === 1 && !sequence.isRestoring && this.#makeRoom(sequence))
        decoding.push({ sequence, count: 1 });
    }
    const isDecoding = new Set(decoding.map(({ sequence }) => sequence));
    this.#admit();
    const room = this.#limits.batchTokens - decoding.length;
    const budget = Math.min(room, Math.max(1, Math.floor(promptBudget(decoding.length))));
    const prompts = this.#running.filter(
      (each) => !isDecoding.has(each) && !each.isRestoring && each.hasAllBlocks && each.pending > 0,
    );
    for (const sequence of prompts) {
      sequence.catchUp(this.#store);
      sequence.copyPart(this.#store);
    }
    const reading = shareOut(prompts, budget, this.#limits.outputs - decoding.length - prompts.length);
    if (reading.length === 0) this.#speculate([...isDecoding], room);
    return [...decoding, ...reading];
  }

  /** Guesses get what nobody else needs: tokens and rows of logits that the pass has left, blocks that are free. */
  #speculate(decoding: readonly Sequence[], room: number): void {
    const most = Math.min(room, this.#limits.outputs - decoding.length);
    const drafts = this.#speculation?.propose(decoding, most) ?? [];
    for (const [sequence, ids] of drafts) sequence.guess(ids, this.#store.pool);
  }

  /** The first in line is never overtaken by a smaller one: otherwise long prompts would starve. */
  #admit(): void {
    for (;;) {
      const sequence = this.#turns.next(this.#waiting);
      if (sequence === undefined || sequence.places > this.#freePlaces || !sequence.reserve(this.#store)) break;
      take(this.#waiting, sequence);
      this.#turns.served(sequence, this.#waiting);
      this.#run(sequence);
      this.#store.lower?.start(sequence);
    }
  }

  /** Finds the block that a decoding sequence needs at a block's edge; pre-empts only sequences that rank below it. */
  #makeRoom(sequence: Sequence): boolean {
    while (!sequence.reserve(this.#store)) {
      const victim = this.#running.at(-1);
      // The last in rank sits this step out with what it holds, until somebody ends or needs its blocks.
      if (victim === undefined || victim === sequence) return false;
      this.#running.pop();
      this.#suspend(victim);
      this.#preemptions++;
    }
    return true;
  }

  #run(sequence: Sequence): void {
    sequence.status = 'running';
    insert(this.#running, sequence);
  }

  #suspend(sequence: Sequence): void {
    sequence.evict(this.#store.pool);
    sequence.status = 'waiting';
    insert(this.#waiting, sequence);
  }

  get #freePlaces(): number {
    return this.#running.reduce((free, { places }) => free - places, this.#limits.sequences);
  }
}

/**
 * The tokens that each prompt gets. A quarter goes by rank, so that no prompt waits for ever; the rest, within a priority, to those that
 * have the least left, so that a short prompt does not wait until a long one is read. Prompts of one length are read one by one.
 *
 * `rows`: of logits, beside one for each prompt; they bound how much is read of prompts whose every token is scored.
 */
function shareOut(prompts: readonly Sequence[], budget: number, rows: number): Scheduled[] {
  const counts = new Map<Sequence, number>();
  let left = budget;
  const give = (sequence: Sequence, most: number): number => {
    const had = counts.get(sequence) ?? 0;
    let count = Math.min(sequence.pending - had, most, left);
    if (sequence.owesScores) {
      // In one go: of what is left for it, little can be.
      if (had > 0) return 0;
      count = withinRows(sequence, count, rows);
      const own = count < sequence.pending ? 1 : 0;
      rows -= Math.max(0, sequence.scoring(count).count - own);
    }
    if (count > 0) counts.set(sequence, had + count);
    left -= count;
    return count;
  };
  let byRankOnly = Math.ceil(budget / 4);
  for (const sequence of prompts) byRankOnly -= give(sequence, byRankOnly);
  const shortestFirst = prompts.toSorted(
    (a, b) => b.options.priority - a.options.priority || a.pending - b.pending || byRank(a, b),
  );
  for (const sequence of shortestFirst) give(sequence, Infinity);
  return prompts.flatMap((sequence) => {
    const count = counts.get(sequence);
    return count === undefined ? [] : [{ sequence, count }];
  });
}

/** As much of a scored prompt as there are rows for. One that does not reach its end has a row of its own to spare. */
function withinRows(sequence: Sequence, count: number, rows: number): number {
  const { at } = sequence.scoring(count);
  const unscored = at - 1 - sequence.computed;
  return sequence.scoring(count).count <= rows ? count : Math.min(count, unscored + rows + 1);
}

/** Inserts by rank; newcomers mostly go to the end. */
function insert(list: Sequence[], sequence: Sequence): void {
  let index = list.length;
  while (index > 0 && byRank(sequence, list[index - 1]) < 0) index--;
  list.splice(index, 0, sequence);
}

function take(list: Sequence[], sequence: Sequence): void {
  const index = list.indexOf(sequence);
  invariant(index >= 0, 'only known sequences are removed');
  list.splice(index, 1);
}
