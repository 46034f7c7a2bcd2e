// The examples, as a reader would run them, against the real server.

import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { projectRoot } from './testing/fixtures.ts';
import { startServer } from './testing/server-process.ts';

const run = promisify(execFile);
const folder = join(projectRoot, 'examples');

/** Folder -> program, and how its presence is seen. */
const languages = [
  { name: 'javascript', program: process.execPath, version: ['--version'], suffix: '.js' },
  { name: 'curl', program: 'sh', version: ['-c', 'curl --version'], suffix: '.sh' },
  { name: 'python', program: 'python3', version: ['--version'], suffix: '_plain.py' },
] as const;

/** What the bundled model says, somewhere in the output. */
const expected: Readonly<Record<string, RegExp>> = {
  chat: /I am a tiny demo model/,
  streaming: /I am a tiny demo model|"content":" tiny"/,
  completions: /\S/,
};

for (const { name, program, version, suffix } of languages) {
  const present = await run(program, [...version]).then(
    () => true,
    () => false,
  );
  void t.test(`examples in ${name}`, { skip: present ? false : `${name} is not installed here` }, async (t) => {
    const server = await startServer(t);
    const env = { ...process.env, NODE_OPTIONS: '', OPENAI_BASE_URL: `${server.url}/v1` };
    const files = readdirSync(join(folder, name)).filter((file) => file.endsWith(suffix));
    t.strictSame(files.map((file) => file.replace(suffix, '')).sort(), Object.keys(expected).sort());
    for (const file of files) {
      const { stdout } = await run(program, [join(folder, name, file)], { env });
      t.match(stdout, expected[file.replace(suffix, '')], file);
    }
    if (name !== 'python') return;
    for (const file of readdirSync(join(folder, name)).filter((file) => !file.endsWith(suffix))) {
      const source = `import ast; ast.parse(open(${JSON.stringify(join(folder, name, file))}).read())`;
      t.equal((await run(program, ['-c', source])).stderr, '', `${file} is Python`);
    }
  });
}
