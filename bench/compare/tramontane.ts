// Ourselves: `bench engine` in a process of its own, on the Node that the server would take.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Peer } from './peer.ts';
import { outputOf } from './process.ts';

export function tramontane(options: { readonly runtime: string; readonly kernels: string }): Peer {
  const script = fileURLToPath(new URL('../run.js', import.meta.url));
  const manifest = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(manifest) as { readonly version: string };
  return {
    name: 'tramontane',
    async measure({ model, threads, prompt, gen, depth }) {
      const sizes = ['--prompt', `${prompt}`, '--gen', `${gen}`, '--depth', `${depth}`];
      const work = ['--model', model, '--threads', `${threads}`, ...sizes];
      const how = ['--engine-runtime', options.runtime, '--kernels', options.kernels, '--json'];
      const result = JSON.parse(await outputOf(process.execPath, [script, 'engine', ...work, ...how])) as Result;
      const { prefill_tok_s, decode_tok_s, kernels, node } = result;
      return { prefill_tok_s, decode_tok_s, version: `${version}, ${kernels}, Node ${node.replace('v', '')}` };
    },
  };
}

interface Result {
  readonly prefill_tok_s: number;
  readonly decode_tok_s: number;
  readonly kernels: string;
  readonly node: string;
}
