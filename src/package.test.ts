// What users get from the registry: packed, unpacked elsewhere, and run from there. Only the dependencies are those of the checkout.

import { execFile } from 'node:child_process';
import { existsSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { projectRoot } from './testing/fixtures.ts';
import { runProgram, startServer } from './testing/server-process.ts';

const run = promisify(execFile);

void t.test('the package holds what it needs to run, and runs', async (t) => {
  const folder = t.testdir();
  const npm = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder];
  const { stdout } = await run('npm', npm, { cwd: projectRoot, maxBuffer: 1 << 24 });
  const [{ filename, files }] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
  const paths = files.map(({ path }) => path);
  for (const pattern of [/\.test\./, /\.map$/, /\/testing\//, /^(assembly|spec|bench)\//, /node_modules/, /\.ts$/]) {
    t.same(
      paths.filter((path) => pattern.test(path)),
      [],
      `nothing like ${String(pattern)}`,
    );
  }
  await run('tar', ['-xzf', join(folder, filename), '-C', folder]);
  const root = join(folder, 'package');
  symlinkSync(join(projectRoot, 'node_modules'), join(root, 'node_modules'));
  const program = join(root, 'src', 'serve.js');
  t.match(readdirSync(root).sort(), ['LICENSE', 'README.md', 'build']);

  const help = await runProgram(['--help'], {}, program);
  t.match(help, { exit: 0, stdout: /tramontane doctor/, stderr: '' });
  const doctor = await runProgram(['doctor', '--json', '--port', '0'], {}, program);
  t.match(JSON.parse(doctor.stdout), { failures: 0, checks: [{}, { facts: { wrong: [] } }] });

  const { url, process } = await startServer(t, [], program);
  const page = await (await fetch(`${url}/docs`)).text();
  for (const [, part] of page.matchAll(/ (?:href|src)="([^"]*)"/g)) {
    t.equal((await fetch(new URL(part, `${url}/docs`))).status, 200, part);
  }
  const answer = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ messages: 'who are you?', temperature: 0 }),
  });
  t.match(await answer.json(), { choices: [{ message: { content: /^I am a tiny demo model/ } }] });
  process.kill('SIGKILL');

  const conformance = await run(globalThis.process.execPath, [join(root, 'build', 'conformance', 'run.js'), '--help']);
  t.match(conformance.stdout, '--base-url');
  t.ok(existsSync(join(root, 'runtime', 'package-lock.json')));
});
