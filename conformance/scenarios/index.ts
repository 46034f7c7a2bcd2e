// Scenario name, as the case files write it -> function.

import { abortThenGood, declaredTooLarge, halfARequest, keepAlive, parallel, pipelined } from './connections.ts';
import { foldEqualsObject, usageEqualsObject } from './fold.ts';
import { seedsDiffer } from './sampling.ts';
import type { Scenario } from './scene.ts';
import { stopAbsent, stopBeginning } from './stop.ts';

export const scenarios: Readonly<Record<string, Scenario>> = {
  'abort-then-good': abortThenGood,
  'declared-too-large': declaredTooLarge,
  'fold-equals-object': foldEqualsObject,
  'half-a-request': halfARequest,
  'keep-alive': keepAlive,
  parallel,
  pipelined,
  'seeds-differ': seedsDiffer,
  'stop-absent': stopAbsent,
  'stop-beginning': stopBeginning,
  'usage-equals-object': usageEqualsObject,
};
