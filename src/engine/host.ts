// Entry of an engine process; forked by `client.ts`.

import { loadEngine } from './load.ts';
import { runMessageLoop } from './loop.ts';

runMessageLoop(loadEngine);
