// Scenario name, as the case files write it -> function.

import { abortThenGood, declaredTooLarge, halfARequest, keepAlive, parallel, pipelined } from './connections.ts';
import { foldEqualsObject, usageEqualsObject } from './fold.ts';
import { tokensCounted } from './metrics.ts';
import { choicesDiffer, choicesUsage, seedsDiffer } from './sampling.ts';
import type { Scenario } from './scene.ts';
import { stopAbsent, stopBeginning } from './stop.ts';
import {
  countEqualsUsage,
  echoPrepends,
  idsOfTheText,
  promptsAsAlone,
  promptsUsage,
  roundTrip,
  templateContinued,
} from './texts.ts';

export const scenarios: Readonly<Record<string, Scenario>> = {
  'abort-then-good': abortThenGood,
  'choices-differ': choicesDiffer,
  'choices-usage': choicesUsage,
  'count-equals-usage': countEqualsUsage,
  'declared-too-large': declaredTooLarge,
  'echo-prepends': echoPrepends,
  'fold-equals-object': foldEqualsObject,
  'half-a-request': halfARequest,
  'ids-of-the-text': idsOfTheText,
  'keep-alive': keepAlive,
  parallel,
  pipelined,
  'prompts-as-alone': promptsAsAlone,
  'prompts-usage': promptsUsage,
  'round-trip': roundTrip,
  'seeds-differ': seedsDiffer,
  'stop-absent': stopAbsent,
  'stop-beginning': stopBeginning,
  'template-continued': templateContinued,
  'tokens-counted': tokensCounted,
  'usage-equals-object': usageEqualsObject,
};
