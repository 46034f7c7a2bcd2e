// Scenario name, as the case files write it -> function.

import { abortThenGood, declaredTooLarge, halfARequest, keepAlive, parallel, pipelined } from './connections.ts';
import { foldEqualsObject, usageEqualsObject } from './fold.ts';
import { logprobBytesJoin, logprobLists, logprobOwn, logprobsFold, logprobsLikeliestFirst } from './logprobs.ts';
import { tokensCounted } from './metrics.ts';
import { bestOfUsage, choicesDiffer, choicesUsage, seedsDiffer } from './sampling.ts';
import type { Scenario } from './scene.ts';
import { stopAbsent, stopBeginning } from './stop.ts';
import {
  storedDeleted,
  storedListed,
  storedMessages,
  storedNotUnasked,
  storedRetrieved,
  storedUpdated,
} from './stored.ts';
import {
  countEqualsUsage,
  echoPrepends,
  idsOfTheText,
  inputTokensEqualUsage,
  promptsAsAlone,
  promptsUsage,
  roundTrip,
  templateContinued,
} from './texts.ts';

export const scenarios: Readonly<Record<string, Scenario>> = {
  'abort-then-good': abortThenGood,
  'best-of-usage': bestOfUsage,
  'choices-differ': choicesDiffer,
  'choices-usage': choicesUsage,
  'count-equals-usage': countEqualsUsage,
  'declared-too-large': declaredTooLarge,
  'echo-prepends': echoPrepends,
  'fold-equals-object': foldEqualsObject,
  'half-a-request': halfARequest,
  'ids-of-the-text': idsOfTheText,
  'input-tokens-equal-usage': inputTokensEqualUsage,
  'keep-alive': keepAlive,
  'logprob-bytes-join': logprobBytesJoin,
  'logprob-lists': logprobLists,
  'logprob-own': logprobOwn,
  'logprobs-fold': logprobsFold,
  'logprobs-likeliest-first': logprobsLikeliestFirst,
  parallel,
  pipelined,
  'prompts-as-alone': promptsAsAlone,
  'prompts-usage': promptsUsage,
  'round-trip': roundTrip,
  'seeds-differ': seedsDiffer,
  'stop-absent': stopAbsent,
  'stop-beginning': stopBeginning,
  'stored-deleted': storedDeleted,
  'stored-listed': storedListed,
  'stored-messages': storedMessages,
  'stored-not-unasked': storedNotUnasked,
  'stored-retrieved': storedRetrieved,
  'stored-updated': storedUpdated,
  'template-continued': templateContinued,
  'tokens-counted': tokensCounted,
  'usage-equals-object': usageEqualsObject,
};
