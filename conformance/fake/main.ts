// Serves the good fake, or the bad one named on the command line, to look at by hand.

import { badServers } from './bad.ts';
import { goodServer } from './good.ts';
import { listen } from './server.ts';

const name = process.argv[2];
const bad = badServers.find((entry) => entry.name === name);
if (name !== undefined && bad === undefined) {
  process.stderr.write(
    `no bad server is called ${name}; there are:\n${badServers.map((entry) => `  ${entry.name}\n`).join('')}`,
  );
  process.exitCode = 2;
} else {
  const { baseUrl } = await listen(bad?.make() ?? goodServer());
  process.stdout.write(`${baseUrl}\n`);
}
