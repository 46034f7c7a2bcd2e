// Where a beginning of the order ends: higher logit first, lower id first among equals. Nothing is sorted for it: passes over the row tell
// how much reaches a value, until little is left between two values. Only that is looked at in detail.

import type { End, LogitRow } from './kernels.ts';
import { lastOf, leastLogit, nextUp } from './selection.ts';

/** No id is higher. */
export const lastId = 2 ** 31 - 1;
export const wholeOrder: End = { value: leastLogit, id: lastId };

/** The shortest beginning whose mass, or number, reaches `target`. */
export interface Wanted {
  /** Above 0. */
  readonly target: number;
  /** It is no longer than this one, ... */
  readonly within: End;
  /** ... whose mass this is; `undefined`: tokens are counted. */
  readonly mass?: number;
}

/** So many are little work, ... */
const few = 4096;
/** ... as are as many as lie between so many neighbours of a sample. */
const fewOfSample = 4;

/** Of a scanned row. For masses it is weighed, with no weights after `within`; for counts its weights are used. */
export function endOf(row: LogitRow, wanted: Wanted): End {
  const { target, within, mass } = wanted;
  let { low, high, reachHigh } = { low: within, high: Infinity, reachHigh: 0 };
  let rest = row.collectFew(within, Infinity, few);
  if (rest === undefined) {
    const all = mass ?? countAll(row, within);
    if (all <= target) return within;
    ({ low, high, reachHigh } = bracket(row, wanted, all));
    rest = row.collectFew(low, high, few);
  }
  if (rest === undefined) {
    // One value many times; or the sample missed what is there, and it takes longer.
    const { value } = low;
    const missing = target - row.massFrom(nextUp(value));
    if (missing > 0) return { value, id: row.nth(value, repeats(missing, row.weights[row.nth(value, 1)])) };
  }
  const { ids, values } = rest ?? row.collect(low, high);
  const last = lastOf(values, target - reachHigh, mass === undefined ? undefined : gather(row.weights, ids));
  return { value: values[last], id: ids[last] };
}

interface Bracket {
  /** What reaches this is enough, ... */
  readonly low: End;
  /** ... what reaches this is not, ... */
  readonly high: number;
  /** ... having so much. */
  readonly reachHigh: number;
}

/**
 * Values of a sample that have little between them. Asked first is whether the end is above all of them, as it mostly is; then how much of
 * the sample reaches a value tells where to ask next, a little beyond it, so that both ends move.
 */
function bracket(row: LogitRow, { target, within, mass }: Wanted, all: number): Bracket {
  const { values, ranks, shares } = sampleOf(row, within.value, mass !== undefined);
  let [low, high, reachLow, reachHigh] = [within, Infinity, all, 0];
  let [from, to, beyond, slow] = [-1, values.length, 0, 0];
  const rankOf = (at: number): number => (at < 0 ? 0 : ranks[at]);
  while (to - from > 1 && rankOf(to) - rankOf(from) > fewOfSample) {
    const width = to - from;
    const part = (target - reachHigh) / (reachLow - reachHigh);
    let at = 0;
    if (slow > 1) at = from + (width >> 1);
    else if (from >= 0) {
      const share = shares[from] + (shares[to] - shares[from]) * part;
      at = from + 1;
      while (at < to && shares[at] < share) at++;
      at += beyond;
    }
    at = Math.max(from + 1, Math.min(to - 1, at));
    const reach = row.massFrom(values[at]);
    if (reach >= target) [to, low, reachLow, beyond] = [at, { value: values[at], id: lastId }, reach, -1];
    else [from, high, reachHigh, beyond] = [at, values[at], reach, 1];
    slow = from > 0 && to - from > width / 2 ? slow + 1 : 0;
  }
  return { low, high, reachHigh };
}

interface Sample {
  /** Different ones above the floor, descending; one more place for all that is left. */
  readonly values: Float32Array;
  /** How many of the sample reach each, ... */
  readonly ranks: Int32Array;
  /** ... and their mass, or number. */
  readonly shares: Float64Array;
}

function sampleOf(row: LogitRow, floor: number, weighs: boolean): Sample {
  const sample = row.sample();
  const weights = weighs ? row.sampleWeights() : undefined;
  const values = new Float32Array(sample.length);
  const ranks = new Int32Array(sample.length + 1);
  const shares = new Float64Array(sample.length + 1);
  let [count, rank, share] = [0, 0, 0];
  for (; rank < sample.length && sample[rank] > floor; rank++) {
    if (count === 0 || sample[rank] < values[count - 1]) values[count++] = sample[rank];
    share += weights === undefined ? 1 : weights[rank];
    ranks[count - 1] = rank + 1;
    shares[count - 1] = share;
  }
  ranks[count] = rank;
  shares[count] = share;
  return { values: values.subarray(0, count), ranks, shares };
}

/** Before any is weighed: every weight 1 counts. */
function countAll(row: LogitRow, { value }: End): number {
  row.weights.fill(1);
  return row.massFrom(value);
}

/** How often a weight is added until its sum reaches `missing`: 24 bits times 24 bits, so no sum is rounded. */
function repeats(missing: number, weight: number): number {
  const times = Math.ceil(missing / weight);
  return Math.min(lastId, times * weight < missing ? times + 1 : times);
}

function gather(weights: Float32Array, ids: Int32Array): Float32Array {
  const gathered = new Float32Array(ids.length);
  for (let i = 0; i < ids.length; i++) gathered[i] = weights[ids[i]];
  return gathered;
}
