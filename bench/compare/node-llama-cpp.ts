// node-llama-cpp, installed by the user outside this project: $NODE_LLAMA_CPP is the folder of the package. It runs in a process of its own.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AbsentPeer, Measurement, Peer } from './peer.ts';
import { outputOf } from './process.ts';

export function nodeLlamaCpp(env: NodeJS.ProcessEnv): Peer | AbsentPeer {
  const name = 'node-llama-cpp';
  const folder = env['NODE_LLAMA_CPP'];
  if (folder === undefined) return { name, missing: 'set NODE_LLAMA_CPP to the folder of the package' };
  const entry = join(folder, 'dist', 'index.js');
  if (!existsSync(entry)) return { name, missing: `NODE_LLAMA_CPP has no ${entry}` };
  const script = fileURLToPath(new URL('./node-llama-cpp-run.js', import.meta.url));
  return {
    name,
    async measure(work) {
      return JSON.parse(await outputOf(process.execPath, [script, folder, JSON.stringify(work)])) as Measurement;
    },
  };
}
