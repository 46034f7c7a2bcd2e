// Run by another Node than the server's: what kernels would get there, as one line of JSON.

import { probeKernels } from '../compute/wasm/probe.ts';

process.stdout.write(`${JSON.stringify({ node: process.versions.node, probe: probeKernels() })}\n`);
