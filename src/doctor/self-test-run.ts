// Run by the Node that would run the engine: its kernels against scalar code, as one line of JSON. A process of its own, because kernels
// that this machine cannot run may end it.

import { selfTest } from '../compute/wasm/self-test.ts';

const [kernels = 'auto', threads = '1'] = process.argv.slice(2);
process.stdout.write(`${JSON.stringify(await selfTest({ kernels, threads: Number(threads) }))}\n`);
