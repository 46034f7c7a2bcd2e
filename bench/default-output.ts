// What `serve` writes by default (a line of text per request), into a file that goes away afterwards: where a server is measured, its
// log is part of what it costs.

import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Log } from '../src/core/log.ts';
import { LineWriter } from '../src/line-writer.ts';
import { createTextLog } from '../src/logger.ts';

export interface DefaultOutput {
  readonly log: Log;
  readonly close: () => void;
}

export function openDefaultOutput(): DefaultOutput {
  const folder = mkdtempSync(join(tmpdir(), 'tramontane-bench-'));
  const file = openSync(join(folder, 'server.log'), 'a');
  const lines = new LineWriter((text) => void writeSync(file, text));
  return {
    log: createTextLog({ level: 'info', write: lines.line }),
    close() {
      lines.end();
      closeSync(file);
      rmSync(folder, { recursive: true });
    },
  };
}
