// Which format a model writes: its chat template shows what it was trained on.

import type { OutputFormat } from './format.ts';
import { plain } from './plain.ts';
import { think } from './think.ts';

export function chooseFormat(template: string): OutputFormat {
  return template.includes('</think>') ? think : plain;
}
