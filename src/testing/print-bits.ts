// Run by another Node: prints the bits of the models it is given, as JSON.

import { computeBits } from './bits.ts';

process.stdout.write(JSON.stringify(await computeBits(process.argv.slice(2))));
