#!/usr/bin/env node
// Launcher: checks what has to be there before anything of the server can be loaded, then hands over to build/src/command.js. Plain
// JavaScript that old Nodes can parse, so that they are told what is missing.

import { existsSync } from 'node:fs';

const [major, minor] = process.versions.node.split('.').map(Number);
const main = new URL('../build/src/command.js', import.meta.url);

/**
 * @param {string} what
 * @param {string} remedy
 */
function refuse(what, remedy) {
  process.stderr.write(`error: ${what}\n       ${remedy}\n`);
  process.exit(1);
}

if (major < 20 || (major === 20 && minor < 19)) {
  refuse(
    `tramontane needs Node 20.19 or newer, this is Node ${process.versions.node}`,
    'install a newer one: https://nodejs.org',
  );
}
if (!existsSync(main)) {
  const isInstalled = existsSync(new URL('../node_modules', import.meta.url));
  refuse('the server is not built', isInstalled ? 'build it: npm run build' : 'install and build it: npm ci');
}

const { main: start } = await import(main.href);
process.exitCode = await start();
