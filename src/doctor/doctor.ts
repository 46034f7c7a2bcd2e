// `tramontane doctor`: everything that serve would need, looked at without serving.

import { arch, cpus, platform, release } from 'node:os';
import type { Config } from '../config.ts';
import type { Check } from './check.ts';
import { checkEngine } from './engine.ts';
import { checkModel } from './model.ts';
import { checkKeys, checkPort, checkTransport } from './network.ts';
import { checkPrefixFolder } from './prefix-cache.ts';

export interface Diagnosis {
  readonly version: string;
  readonly system: Readonly<Record<string, unknown>>;
  readonly checks: readonly Check[];
  readonly warnings: number;
  readonly failures: number;
  /** 0 when serve would start, else the code it would end with. */
  readonly exitCode: number;
}

export async function diagnose(config: Config, version: string): Promise<Diagnosis> {
  const parts = await Promise.all([
    checkEngine(config),
    checkModel(config),
    checkPrefixFolder(config),
    checkPort(config),
    checkTransport(config),
    checkKeys(config),
  ]);
  const checks = parts.flat();
  const failures = checks.filter(({ status }) => status === 'fail');
  return {
    version,
    system: {
      platform: platform(),
      release: release(),
      arch: arch(),
      cpu: cpus()[0]?.model,
      node: process.versions.node,
    },
    checks,
    warnings: checks.filter(({ status }) => status === 'warn').length,
    failures: failures.length,
    exitCode: failures[0]?.exitCode ?? 0,
  };
}
