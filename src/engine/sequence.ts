// One sequence on its way through the engine: its ids, how many of them are in the KV cache, and where.

import { blockTokens, type KvBlocks } from '../compute/backend.ts';
import { invariant } from '../core/errors.ts';
import type { BlockPool } from './block-pool.ts';
import type { SubmitOptions } from './messages.ts';
import type { TokenSource } from '../sampling/sampler.ts';
import type { PrefixCache, PrefixKeys } from './prefix-cache.ts';
import type { BlockContent, CommonPart } from './siblings.ts';

/** `waiting`: holds no blocks. `running`: has a place in the batch. `done`: finished, failed or cancelled; nothing more is said of it. */
export type SequenceStatus = 'waiting' | 'running' | 'done';

/** Where keys and values are kept. */
export interface KvStore {
  readonly pool: BlockPool;
  readonly blocks: KvBlocks;
  /** `undefined`: nothing is kept beyond the life of a sequence. */
  readonly cache: PrefixCache | undefined;
  /** Knows of blocks that are not in memory any more. */
  readonly lower: LowerTier | undefined;
}

export interface LowerTier {
  has(key: string): boolean;
  /** The sequence has its blocks. Those known here are filled from now on, while `isRestoring`. */
  start(sequence: Sequence): void;
}

export interface SequenceStart {
  /** Place in the order of arrival. */
  readonly order: number;
  /** When it arrived, milliseconds on the engine's clock. */
  readonly at: number;
  /** Most ids it may ever have, prompt and answer together. */
  readonly limit: number;
  /** Names of its blocks in the prefix cache. */
  readonly keys: PrefixKeys;
}

/**
 * Positions 0..computed-1 are in the cache; positions computed..length-1 are known and not yet computed ("pending"). A prompt
 * starts with everything pending, decoding has one pending id at a time, and a pre-empted sequence is simply all pending
 * again: the scheduler knows no other difference between prefill, decode and recomputation.
 */
export class Sequence {
  readonly id: string;
  readonly options: SubmitOptions;
  /** Which of the request's continuations this is. */
  readonly choice: number;
  readonly start: SequenceStart;
  readonly promptTokens: number;
  status: SequenceStatus = 'waiting';
  /** Continuations that it will have to make room for beside itself: those of its request that are not forked yet. */
  unforked: number;
  /** Says which token comes next; there is none before the prompt is computed. */
  source: TokenSource | undefined;
  /** When it took part in a pass for the first time. */
  startedAt: number | undefined;
  /** Its blocks are being filled from elsewhere; it takes part in no pass before that is over. */
  isRestoring = false;
  readonly #ids: Int32Array;
  readonly #blocks: Int32Array;
  #length: number;
  /** Ids behind the known ones that may be the next; the coming pass tests them. */
  #guesses = 0;
  #computed = 0;
  #blockCount = 0;
  /** Index of the first id of the prompt whose score is still owed. */
  #scored: number;
  /** Whether all that is computed comes from the prefix cache. */
  #isFresh = true;
  #cachedTokens: number | undefined;
  #filledTokens = 0;
  /** Number of the block for which a part of another was sought last. */
  #partSoughtIn = -1;
  #life = 0;

  constructor(id: string, options: SubmitOptions, start: SequenceStart, choice = 0) {
    const { ids } = options.input;
    const { limit } = start;
    invariant(ids.length > 0 && ids.length <= limit, 'a prompt fits into its sequence');
    this.id = id;
    this.options = options;
    this.start = start;
    this.choice = choice;
    this.promptTokens = ids.length;
    this.unforked = choice === 0 ? (options.choices ?? 1) - 1 : 0;
    this.#scored = choice === 0 && options.promptLogprobs === true ? 1 : ids.length;
    this.#ids = new Int32Array(limit);
    this.#ids.set(ids);
    this.#length = ids.length;
    this.#blocks = new Int32Array(Math.ceil(limit / blockTokens));
  }

  get length(): number {
    return this.#length;
  }

  get computed(): number {
    return this.#computed;
  }

  /** Ids known and not yet computed. */
  get pending(): number {
    return this.#length - this.#computed;
  }

  /** Ids written by the model; also the counter of the sampler's generator. */
  get generated(): number {
    return this.#length - this.promptTokens;
  }

  /** Guesses of what follows the known ids, computed together with them. */
  get guesses(): number {
    return this.#guesses;
  }

  /** All known ids. */
  get known(): Int32Array {
    return this.#ids.subarray(0, this.#length);
  }

  /** Ids that may still be appended. */
  get room(): number {
    return this.#ids.length - this.#length;
  }

  /** Whether no further id may be appended. */
  get isFull(): boolean {
    return this.room === 0;
  }

  /** Whether the logits of positions within its prompt are wanted. */
  get owesScores(): boolean {
    return this.#scored < this.promptTokens;
  }

  /** Which ids of the prompt get their scores when the next `count` are computed: the position before an id says what the model made of it. */
  scoring(count: number): { readonly at: number; readonly count: number } {
    const at = Math.max(this.#scored, this.#computed + 1);
    return { at, count: Math.max(0, Math.min(this.promptTokens, this.#computed + count + 1) - at) };
  }

  /** Those have been told. */
  told(count: number): void {
    this.#scored += count;
  }

  /** Places in the batch that it takes, or will. */
  get places(): number {
    return 1 + this.unforked;
  }

  /** Prompt tokens that the prefix cache answered; `undefined` before its first pass. */
  get cachedTokens(): number | undefined {
    return this.#cachedTokens;
  }

  /** Part of them that came from below memory. */
  get filledTokens(): number {
    return this.#filledTokens;
  }

  /** How often it lost its blocks. */
  get life(): number {
    return this.#life;
  }

  get blockCount(): number {
    return this.#blockCount;
  }

  /** Whether all known ids can be computed without a further block. */
  get hasAllBlocks(): boolean {
    return this.#length <= this.#blockCount * blockTokens;
  }

  /** The pool's blocks for positions 0..63, 64..127, ... */
  get blockTable(): Int32Array {
    return this.#blocks.subarray(0, this.#blockCount);
  }

  /** The next `count` ids that are not computed: the pending ones, then the guesses. */
  next(count: number): Int32Array {
    return this.#ids.subarray(this.#computed, this.#computed + count);
  }

  /** Prompt tokens that the prefix cache would answer now. */
  cachedNow({ cache, lower }: KvStore): number {
    let index = this.#fullBlocks + this.#find(cache).length;
    while (index < this.reusableBlocks && lower?.has(this.keyOf(index)) === true) index++;
    return index * blockTokens + (this.#findPart(index, cache)?.count ?? 0);
  }

  /**
   * Blocks that another sequence may have computed. The last known id is always computed: its logits are what is wanted. So are all of a
   * prompt whose scores are wanted.
   */
  get reusableBlocks(): number {
    return this.owesScores ? 0 : Math.floor((this.#length - 1) / blockTokens);
  }

  /** The name of a block that is full of known ids. */
  keyOf(index: number): string {
    return this.start.keys.at(index, this.known);
  }

  /** Takes the blocks still missing before all known ids can be computed, those in the cache first. Takes none and says `false` when the pool has too few. */
  reserve({ pool, cache }: KvStore): boolean {
    const found = this.#blockCount === 0 ? this.#find(cache) : [];
    const idle = found.filter((block) => pool.references(block) === 0).length;
    const missing = Math.ceil(this.#length / blockTokens) - this.#blockCount - found.length;
    if (missing + idle > pool.free) return false;
    for (const block of found) this.#take(block, pool);
    this.#computed += found.length * blockTokens;
    for (let i = 0; i < missing; i++) {
      const block = pool.allocate();
      invariant(block !== undefined, 'free blocks can be allocated');
      this.#blocks[this.#blockCount++] = block;
    }
    return true;
  }

  /** Before its first pass: takes over what others have computed since it reserved its blocks. */
  catchUp({ pool, cache }: KvStore): void {
    if (!this.#isFresh) return;
    for (const block of this.#find(cache)) {
      const index = this.#fullBlocks;
      pool.share(block);
      this.#replace(index, block, pool);
      this.#computed = (index + 1) * blockTokens;
    }
  }

  /** Before its first pass, when there are no whole blocks left to take over: copies what is common with a block that goes on otherwise. */
  copyPart({ cache, blocks }: KvStore): void {
    const index = this.#fullBlocks;
    if (!this.#isFresh || this.#partSoughtIn === index) return;
    this.#partSoughtIn = index;
    const part = this.#findPart(index, cache);
    if (part === undefined) return;
    blocks.copy(part.block, this.#blocks[index]);
    this.#computed = index * blockTokens + part.count;
  }

  /** It takes part in a pass now. `true` the first time. */
  begin(now: number): boolean {
    if (this.#cachedTokens !== undefined) return false;
    this.startedAt = now;
    this.#cachedTokens = this.#computed;
    return true;
  }

  /**
   * The coming pass also computes what follows if `ids` come next; as many are taken as there are blocks for. Those that `append` does not
   * confirm are taken back by `rollback`.
   */
  guess(ids: Int32Array, pool: BlockPool): void {
    invariant(
      this.pending === 1 && ids.length < this.room,
      'guesses follow the one pending id, and leave a place for what follows them',
    );
    let held = this.#blockCount * blockTokens - this.#length;
    for (; held < ids.length; held += blockTokens) {
      const block = pool.allocate();
      if (block === undefined) break;
      this.#blocks[this.#blockCount++] = block;
    }
    this.#guesses = Math.min(ids.length, held);
    this.#ids.set(ids.subarray(0, this.#guesses), this.#length);
  }

  /** The next `count` pending ids are in the cache now, for good: full blocks get their names. */
  commit(count: number, { pool, cache }: KvStore): void {
    invariant(count > 0 && count <= this.pending, 'only pending ids are committed');
    invariant(this.#computed + count <= this.#blockCount * blockTokens, 'committed positions have blocks');
    const before = this.#fullBlocks;
    this.#computed += count;
    this.#isFresh = false;
    if (cache === undefined) return;
    for (let index = before; index < this.#fullBlocks; index++) {
      const own = this.#blocks[index];
      const kept = cache.keep(this.keyOf(index), own, this.#contentOf(index));
      if (kept === own) continue;
      // Somebody computed the same beside us: one copy is enough.
      pool.share(kept);
      this.#replace(index, kept, pool);
    }
  }

  /** The next block was filled with what another sequence computed of its ids. */
  fill(store: KvStore): void {
    this.commit(blockTokens, store);
    this.#isFresh = true;
    if (this.#cachedTokens === undefined) this.#filledTokens += blockTokens;
  }

  /** The next id. Whether it was guessed, so that it is in the cache already and can be committed at once. */
  append(id: number): boolean {
    invariant(this.pending === 0 && !this.isFull, 'an id is appended to a fully computed sequence with room');
    const isGuessed = this.#guesses > 0 && this.#ids[this.#length] === id;
    this.#guesses = isGuessed ? this.#guesses - 1 : 0;
    this.#ids[this.#length++] = id;
    return isGuessed;
  }

  /**
   * Only the first `count` positions stay in the cache; known ids behind them are pending again, guesses are forgotten, blocks without
   * content are free. A full block may be held by others, too, and is never written again: within one, its beginning is computed anew.
   */
  rollback(count: number, pool: BlockPool): void {
    invariant(count <= this.#computed, 'what is not computed cannot stay');
    const full = Math.floor(this.#computed / blockTokens) * blockTokens;
    this.#computed = count < full ? Math.floor(count / blockTokens) * blockTokens : count;
    this.#guesses = 0;
    // The ends first: of what the pool remembers, the beginnings are worth most.
    const needed = Math.ceil(this.#computed / blockTokens);
    while (this.#blockCount > needed) pool.release(this.#blocks[--this.#blockCount]);
  }

  /**
   * Another continuation of the same prompt, which begins with `id`; this one has just computed the prompt. It holds the prompt's full
   * blocks, too, and has a copy of a last one that is not full, or computes that part again where no block is free.
   */
  fork(choice: number, id: number, { pool, blocks }: KvStore): Sequence {
    invariant(
      this.generated === 0 && this.pending === 0 && this.unforked > 0,
      'a prompt is forked when it is computed',
    );
    const shared = Math.floor(this.promptTokens / blockTokens);
    const fork = new Sequence(this.id, this.options, { ...this.start, keys: this.start.keys.fork(shared) }, choice);
    this.unforked--;
    for (const block of this.#blocks.subarray(0, shared)) fork.#take(block, pool);
    fork.#computed = shared * blockTokens;
    const copy = fork.#computed < this.promptTokens ? pool.allocate() : undefined;
    if (copy !== undefined) {
      blocks.copy(this.#blocks[shared], copy);
      fork.#blocks[fork.#blockCount++] = copy;
      fork.#computed = this.promptTokens;
    }
    fork.#isFresh = false;
    fork.#cachedTokens = 0;
    fork.#ids[fork.#length++] = id;
    return fork;
  }

  /** Gives all blocks back; every id is pending again. */
  evict(pool: BlockPool): void {
    this.rollback(0, pool);
    this.#isFresh = true;
    this.isRestoring = false;
    this.#partSoughtIn = -1;
    this.#life++;
    if (this.#cachedTokens === undefined) this.#filledTokens = 0;
  }

  /** Those of which every position is computed. */
  get #fullBlocks(): number {
    return Math.floor(this.#computed / blockTokens);
  }

  /** `undefined`: it has media in it, which are more than their ids. */
  #contentOf(index: number): BlockContent | undefined {
    if (this.options.input.spans.length > 0) return undefined;
    const ids = this.known.subarray(index * blockTokens, (index + 1) * blockTokens);
    return { parent: this.start.keys.before(index, this.known), ids };
  }

  /** A block of the cache that has the first ids of this block. */
  #findPart(index: number, cache: PrefixCache | undefined): CommonPart | undefined {
    if (this.options.input.spans.length > 0 || this.owesScores) return undefined;
    const from = index * blockTokens;
    const ids = this.known.subarray(from, Math.min(from + blockTokens, this.#length - 1));
    return cache?.findPart(this.start.keys.before(index, this.known), ids);
  }

  /** Blocks of the cache that continue what is computed. */
  #find(cache: PrefixCache | undefined): number[] {
    const found: number[] = [];
    if (cache === undefined) return found;
    for (let index = this.#fullBlocks; index < this.reusableBlocks; index++) {
      const block = cache.find(this.keyOf(index));
      if (block === undefined) break;
      found.push(block);
    }
    return found;
  }

  #take(block: number, pool: BlockPool): void {
    pool.share(block);
    this.#blocks[this.#blockCount++] = block;
  }

  /** `block` is held for this already. */
  #replace(index: number, block: number, pool: BlockPool): void {
    pool.release(this.#blocks[index]);
    this.#blocks[index] = block;
  }
}

/** The order of service: higher priority, then earlier arrival. */
export function byRank(a: Sequence, b: Sequence): number {
  return b.options.priority - a.options.priority || a.start.order - b.start.order || a.choice - b.choice;
}
