// The beginning of an order without sorting: higher value first, lower index first among equals.

/** Below so many, sorting is as quick as anything. */
const few = 32;
const binCount = 1024;

/**
 * The index of the last of the shortest beginning of the order whose measures reach `target`; at least the first, the very last where
 * rounding keeps the sum below the target. Values are finite; `measures` left out: 1 each.
 *
 * Selection by counting: values are put into bins of equal width, and only the bin in which the target is reached is looked at again.
 * Linear, whatever the values are; every sum has one order.
 */
export function lastOf(values: Float32Array, target: number, measures?: Float32Array): number {
  // Those that the target may be reached at, and what the others before them measure.
  const places = new Int32Array(values.length);
  for (let i = 0; i < places.length; i++) places[i] = i;
  let count = places.length;
  let reached = 0;
  let areEqual = false;
  const bins = new Uint16Array(count);
  while (count > few) {
    let [most, least] = [values[places[0]], values[places[0]]];
    for (let at = 1; at < count; at++) {
      const value = values[places[at]];
      if (value > most) most = value;
      else if (value < least) least = value;
    }
    areEqual = most === least;
    if (areEqual) break;
    const scale = binCount / (most - least);
    const sums = new Float64Array(binCount);
    let end = 0;
    for (let at = 0; at < count; at++) {
      const place = places[at];
      const bin = Math.min(binCount - 1, Math.floor((most - values[place]) * scale));
      bins[at] = bin;
      sums[bin] += measures === undefined ? 1 : measures[place];
      if (bin > end) end = bin;
    }
    let wanted = 0;
    // The last bin that holds anything is the last resort of rounding.
    while (wanted < end && reached + sums[wanted] < target) reached += sums[wanted++];
    let left = 0;
    for (let at = 0; at < count; at++) if (bins[at] === wanted) places[left++] = places[at];
    count = left;
  }
  const order = places.subarray(0, count);
  if (!areEqual) order.sort((a, b) => values[b] - values[a] || a - b);
  for (const place of order) {
    reached += measures === undefined ? 1 : measures[place];
    if (reached >= target) return place;
  }
  return order[order.length - 1];
}

/** -Infinity is no number here: it marks what is forbidden. */
export const leastLogit = -3.4028234663852886e38;

/**
 * A value that at least `rank` of a vector reach, of which only the maxima of groups are known: the rank-th of these. Little more than
 * `rank` reach it. The least of all where there are fewer groups.
 */
export function rankBound(maxima: Float32Array, rank: number): number {
  if (rank > maxima.length) return leastLogit;
  const finite = maxima.includes(-Infinity) ? maxima.map((value) => Math.max(value, leastLogit)) : maxima;
  return finite[lastOf(finite, rank)];
}

/** The least f32 above one. */
export function nextUp(value: number): number {
  float[0] = value + 0;
  // Bits of a negative number grow with its distance from 0.
  if (value < 0) bits[0]--;
  else bits[0]++;
  return float[0];
}

const float = new Float32Array(1);
const bits = new Int32Array(float.buffer);
