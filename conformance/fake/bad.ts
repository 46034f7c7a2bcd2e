// The bad servers: each departs from the good one in one point, and names the cases that must notice.

import { badAnswers } from './bad/answers.ts';
import type { BadServer } from './bad/break.ts';
import { badListeners } from './bad/connections.ts';
import { badLogprobs, badTextLogprobs } from './bad/logprobs.ts';
import { badReaders } from './bad/requests.ts';
import { badStores } from './bad/stored.ts';
import { badStreams } from './bad/streams.ts';
import { badTexts } from './bad/texts.ts';
import { badTokens } from './bad/tokens.ts';
import { badJudges } from './bad/validation.ts';

export type { BadServer } from './bad/break.ts';

export const badServers: readonly BadServer[] = [
  ...badReaders,
  ...badJudges,
  ...badAnswers,
  ...badStreams,
  ...badListeners,
  ...badLogprobs,
  ...badStores,
  ...[...badTexts, ...badTextLogprobs, ...badTokens].map((bad): BadServer => ({ ...bad, isTexts: true })),
];
