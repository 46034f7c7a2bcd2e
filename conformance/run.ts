// Entry point of `npm run conformance`.

import { command } from './command.ts';

const { stdout, stderr, env } = process;
process.exitCode = await command(process.argv.slice(2), {
  out: (text) => void stdout.write(text),
  err: (text) => void stderr.write(text),
  colour: stdout.isTTY && (env['NO_COLOR'] ?? '') === '',
});
