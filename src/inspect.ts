// `npm run inspect -- COMMAND ...`: looks into models without a server. One file per command in inspect/, loaded when it is asked for.

import { createInterface } from 'node:readline';

interface Streams {
  /** Lines of standard input. */
  readonly input: AsyncIterable<string>;
  readonly out: { write(text: string): unknown };
}

interface Tool {
  readonly usage: string;
  /** Resolves with the exit code. */
  readonly run: (args: readonly string[], streams: Streams) => Promise<number>;
}

const commands: Readonly<Record<string, { readonly text: string; readonly load: () => Promise<Tool> }>> = {
  gguf: {
    text: 'what the header of a GGUF model says',
    load: async () => {
      const { run, usage } = await import('./inspect/gguf.ts');
      return { usage, run: (args, { out }) => run(args, out) };
    },
  },
  logits: {
    text: 'the logits of given token ids',
    load: async () => {
      const { run, usage } = await import('./inspect/logits.ts');
      return { usage, run: (args, { out }) => run(args, out) };
    },
  },
  tokenize: {
    text: 'the ids of texts, or the texts of ids; one per line of input',
    load: async () => {
      const { run, usage } = await import('./inspect/tokenize.ts');
      return { usage, run: (args, { input, out }) => run(args, input, out) };
    },
  },
  template: {
    text: 'the prompts of conversations; one per line of input',
    load: async () => {
      const { run, usage } = await import('./inspect/template.ts');
      return { usage, run: (args, { input, out }) => run(args, input, out) };
    },
  },
};

const overview = [
  'Usage: npm run inspect -- COMMAND [options]',
  '',
  ...Object.entries(commands).map(([name, { text }]) => `  ${name.padEnd(10)}${text}`),
  '',
  'Options of a command: npm run inspect -- COMMAND --help',
  '',
].join('\n');

async function main([name, ...args]: readonly string[]): Promise<number> {
  if (name === '--help' || name === '-h') {
    process.stdout.write(overview);
    return 0;
  }
  if (name === undefined || !Object.hasOwn(commands, name)) {
    process.stderr.write(name === undefined ? overview : `error: there is no command "${name}"\n${overview}`);
    return 2;
  }
  const { run, usage } = await commands[name].load();
  if (args.some((arg) => arg === '--help' || arg === '-h')) {
    process.stdout.write(`Usage: ${usage}\n`);
    return 0;
  }
  return run(args, { input: lines(), out: process.stdout });
}

/** Nothing is read, and nothing keeps the process alive, before somebody asks. */
async function* lines(): AsyncGenerator<string, void, void> {
  yield* createInterface({ input: process.stdin });
}

// A reader that has seen enough (`| head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});
process.exitCode = await main(process.argv.slice(2));
