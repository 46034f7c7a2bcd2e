// The bad servers: each departs from the good one in one point, and names the cases that must notice.

import { badAnswers } from './bad/answers.ts';
import type { BadServer } from './bad/break.ts';
import { badListeners } from './bad/connections.ts';
import { badReaders } from './bad/requests.ts';
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
  ...[...badTexts, ...badTokens].map((bad): BadServer => ({ ...bad, isTexts: true })),
];
