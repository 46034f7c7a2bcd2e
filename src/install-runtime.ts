// The last step of `npm ci` (script `prepare`): the pinned Node for the engine process, where the machine's own is older.

import { installRuntime } from './engine/install-runtime.ts';

const { platform, arch, versions } = process;
const report = process.report.getReport() as { readonly header?: { readonly glibcVersionRuntime?: string } };
const machine = { node: versions.node, platform, arch, glibc: report.header?.glibcVersionRuntime };
process.stdout.write(`${await installRuntime({ machine, env: process.env })}\n`);
