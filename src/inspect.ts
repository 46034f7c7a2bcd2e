// `npm run inspect -- COMMAND ...`: looks into models without a server. One file per command in inspect/, loaded when it is asked for.

interface Tool {
  readonly text: string;
  readonly load: () => Promise<{
    /** Resolves with the exit code. */
    readonly run: (args: readonly string[], out: { write(text: string): unknown }) => Promise<number>;
  }>;
}

const commands: Readonly<Record<string, Tool>> = {
  gguf: { text: 'what the header of a GGUF file says', load: () => import('./inspect/gguf.ts') },
  logits: { text: 'the logits of given token ids', load: () => import('./inspect/logits.ts') },
};

const usage = [
  'Usage: npm run inspect -- COMMAND [options]',
  '',
  ...Object.entries(commands).map(([name, { text }]) => `  ${name.padEnd(10)}${text}`),
  '',
  'Options of a command: npm run inspect -- COMMAND --help',
  '',
].join('\n');

async function main([name, ...args]: readonly string[]): Promise<number> {
  if (name === '--help' || name === '-h') {
    process.stdout.write(usage);
    return 0;
  }
  if (name === undefined || !Object.hasOwn(commands, name)) {
    process.stderr.write(name === undefined ? usage : `error: there is no command "${name}"\n${usage}`);
    return 2;
  }
  const { run } = await commands[name].load();
  return run(args, process.stdout);
}

// A reader that has seen enough (`| head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});
process.exitCode = await main(process.argv.slice(2));
