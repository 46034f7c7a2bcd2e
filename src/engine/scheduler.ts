// Which sequences take part in the next forward pass, and with how many tokens each.
//
//   waiting --admit (all blocks of its known ids are free)--> running --finish, cancel, fail--> gone
//      ^------------------ pre-empt (blocks ran out) ------------'
//
// Decoding sequences come first, one token each, so that a long prompt never stalls running streams; prompts share what is left
// of the token budget, in chunks. Where no prompt is read, sequences may also test guesses of what follows.

import { invariant } from '../core/errors.ts';
import { tokenBudget, type PromptBudget } from './pace.ts';
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

/** Of this many passes one belongs to the prompt that ranks first, and the others to those that have the least left. */
const passesPerTurn = 4;

export class Scheduler {
  readonly #limits: SchedulerLimits;
  readonly #store: KvStore;
  /** Both in order of rank. */
  readonly #waiting: Sequence[] = [];
  readonly #running: Sequence[] = [];
  readonly #turns = new TenantTurns();
  readonly #speculation: Speculation | undefined;
  #preemptions = 0;
  /** Passes since the prompt that ranks first took first. */
  #passedOver = 0;

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

  /** The work of the next step; empty only when there are no sequences at all, or all are being restored. `budgetBeside`: those that decode. */
  schedule(budgetBeside: (decoding: readonly Sequence[]) => PromptBudget = () => tokenBudget(Infinity)): Scheduled[] {
    const decoding: Sequence[] = [];
    // Victims are taken from the end of the list, so they are never among those already scheduled.
    for (const sequence of this.#running) {
      if (sequence.pending === 1 && !sequence.isRestoring && this.#makeRoom(sequence)) decoding.push(sequence);
    }
    const isDecoding = new Set(decoding);
    this.#admit();
    const prompts = this.#running.filter(
      (each) => !isDecoding.has(each) && !each.isRestoring && each.hasAllBlocks && each.pending > 0,
    );
    for (const sequence of prompts) {
      sequence.catchUp(this.#store);
      sequence.copyPart(this.#store);
    }
    const tokens = this.#limits.batchTokens - decoding.length;
    const rows = this.#limits.outputs - decoding.length - prompts.length;
    const reading = shareOut(this.#inTurn(prompts), budgetBeside(decoding), { tokens, rows });
    if (prompts.length === 0) this.#speculate(decoding, tokens);
    return [...decoding.map((sequence) => ({ sequence, count: 1 })), ...reading];
  }

  /**
   * Prompts in the order in which they take from the budget. Within a priority, those that have the least left are first, so that a short
   * prompt does not wait until a long one is read; prompts of one length are read one by one. Every fourth pass goes by rank, so that none
   * waits for ever. It is a whole pass: a quarter of one may be less than a single token far into a prompt costs.
   */
  #inTurn(prompts: readonly Sequence[]): readonly Sequence[] {
    const shortestFirst = prompts.toSorted(
      (a, b) => b.options.priority - a.options.priority || a.pending - b.pending || byRank(a, b),
    );
    const isPassedOver = shortestFirst[0] !== prompts[0];
    this.#passedOver = isPassedOver ? (this.#passedOver + 1) % passesPerTurn : 0;
    return isPassedOver && this.#passedOver === 0 ? prompts : shortestFirst;
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
 * The tokens that each prompt gets, in this order. `rows`: of logits, beside one for each prompt; they bound how much is read of prompts
 * whose every token is scored.
 */
function shareOut(
  prompts: readonly Sequence[],
  budget: PromptBudget,
  { tokens, rows }: { readonly tokens: number; readonly rows: number },
): Scheduled[] {
  const shares: Scheduled[] = [];
  let tokensLeft = tokens;
  let rowsLeft = rows;
  for (const sequence of prompts) {
    const most = withinRows(sequence, Math.min(sequence.pending, tokensLeft), rowsLeft);
    const count = most === 0 ? 0 : budget.take(sequence.computed, most, most === sequence.pending);
    if (count === 0) continue;
    const own = count < sequence.pending ? 1 : 0;
    rowsLeft -= Math.max(0, sequence.scoring(count).count - own);
    tokensLeft -= count;
    shares.push({ sequence, count });
  }
  return shares;
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
