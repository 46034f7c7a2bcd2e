// What samples taken between the storms say: memory, files and blocks must not grow with the work done.

import { formatNumber } from '../table.ts';
import type { EngineLoad, ProcessState } from './observe.ts';

/** Taken when nothing is under way. */
export interface Sample {
  readonly server: ProcessState | undefined;
  readonly engine: ProcessState | undefined;
  /** A new engine has new memory. */
  readonly enginePid: number | undefined;
  readonly load: EngineLoad | undefined;
}

export interface Check {
  readonly what: string;
  /** `undefined`: there was nothing to look at. */
  readonly isGood: boolean | undefined;
  readonly detail: string;
}

export function checkSamples(samples: readonly Sample[]): Check[] {
  return [
    checkGrowth(
      'memory of the server',
      samples.flatMap(({ server }) => server?.rssMib ?? []),
    ),
    checkGrowth('memory of the engine', longestLife(samples)),
    checkFlat(
      'open sockets',
      samples.flatMap(({ server }) => server?.sockets ?? []),
    ),
    checkFlat(
      'open files',
      samples.flatMap(({ server }) => server?.files ?? []),
    ),
    checkIdle(samples.flatMap(({ load }) => load ?? [])),
  ];
}

/**
 * A heap swings; its floor tells a leak. The first third is for warming up, the floors of the other two are compared. Thirds of a few
 * samples have no floors to speak of: a short soak finds what leaks by the megabyte.
 */
export function checkGrowth(what: string, mib: readonly number[]): Check {
  const third = Math.floor(mib.length / 3);
  if (third < 2) return { what, isGood: undefined, detail: `${mib.length} samples are too few` };
  const before = Math.min(...mib.slice(third, -third));
  const after = Math.min(...mib.slice(-third));
  const allowed = third < settledSamples ? unsettledMib : Math.max(allowedMib, allowedShare * before);
  const detail = `${formatNumber(before)} MiB, at the end ${formatNumber(after)} (largest ${formatNumber(Math.max(...mib))})`;
  return { what, isGood: after - before <= allowed, detail };
}

/** What heaps and allocators still take after a warm-up. */
const allowedMib = 16;
const allowedShare = 0.1;
/** Samples of a third that has a floor: soaks of two minutes and more. */
const settledSamples = 4;
const unsettledMib = 128;

/** As many at the end as before the first round. */
function checkFlat(what: string, counts: readonly number[]): Check {
  const [first, last] = [counts[0], counts.at(-1)];
  if (first === undefined || last === undefined || counts.length < 2)
    return { what, isGood: undefined, detail: 'not seen' };
  return { what, isGood: last <= first, detail: `${first}, at the end ${last} (most ${Math.max(...counts)})` };
}

function checkIdle(loads: readonly EngineLoad[]): Check {
  const what = 'cache blocks and requests';
  if (loads.length === 0) return { what, isGood: undefined, detail: 'the server has no /metrics' };
  const held = loads.filter(({ blocks, running, waiting }) => blocks > 0 || running > 0 || waiting > 0);
  const detail =
    held.length === 0
      ? `all free between rounds (${loads.length} times)`
      : `held in ${held.length} of ${loads.length} pauses, at the end ${JSON.stringify(loads.at(-1))}`;
  return { what, isGood: held.length === 0, detail };
}

/** Memory of the engine process that was seen most often. */
function longestLife(samples: readonly Sample[]): number[] {
  const lives = new Map<number, number[]>();
  for (const { engine, enginePid } of samples) {
    if (engine === undefined || enginePid === undefined) continue;
    lives.set(enginePid, [...(lives.get(enginePid) ?? []), engine.rssMib]);
  }
  return [...lives.values()].reduce((longest, life) => (life.length > longest.length ? life : longest), []);
}
