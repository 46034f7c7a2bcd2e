// What tests left out, read from the TAP they wrote: fixtures that this machine does not have, kernel builds that it cannot run.

export interface Skips {
  /** Tests without their fixture. */
  readonly fixtures: number;
  /** Names of kernel builds. */
  readonly builds: readonly string[];
  /** Reasons of all others. */
  readonly others: readonly string[];
}

export function readSkips(tap: string): Skips {
  const lines = tap.matchAll(/^ *ok \d+ - (.*?) # SKIP *(.*)$/gm);
  const reasons = Array.from(lines, ([, name, reason]) => `${name} ${reason}`.trim());
  const builds = reasons.flatMap((reason) => /kernels build "(\w+)"/.exec(reason)?.[1] ?? []);
  const isKnown = /^no fixtures: |kernels build "\w+"/;
  return {
    fixtures: reasons.filter((reason) => reason.startsWith('no fixtures: ')).length,
    builds: [...new Set(builds)],
    others: reasons.filter((reason) => !isKnown.test(reason)),
  };
}

/** `runs`: Node version -> what was skipped there. One line. */
export function describeSkips(runs: ReadonlyMap<string, Skips>): string {
  const all = [...runs.values()];
  const fixtures = all.reduce((sum, skips) => sum + skips.fixtures, 0);
  const builds = [...runs].flatMap(([node, skips]) => skips.builds.map((name) => `${name} on Node ${node}`));
  const others = all.flatMap((skips) => skips.others);
  const named = (names: readonly string[]): string => (names.length === 0 ? '' : ` (${names.join('; ')})`);
  return (
    `tests ran on Node ${[...runs.keys()].join(' and ')}; skipped: ${fixtures} fixtures, ` +
    `${builds.length} kernel builds${named(builds)}, ${others.length} others${named(others)}`
  );
}
