// Entry point of `npm run conformance`.

import { command } from './command.ts';

const { stdout, stderr, env } = process;
// A reader who has seen enough (`| head`) is no error.
stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 2));

process.exitCode = await command(process.argv.slice(2), {
  out: (text) => void stdout.write(text),
  err: (text) => void stderr.write(text),
  colour: stdout.isTTY && (env['NO_COLOR'] ?? '') === '',
});
