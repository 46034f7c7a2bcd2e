// Which networks are known: names in checkpoints -> the file that builds them. A new architecture is one file and one row here.

import type { Metadata } from '../../core/metadata.ts';
import { architectureName } from '../config.ts';
import { ModelError } from '../error.ts';
import type { Architecture } from '../network.ts';
import { llama } from './llama.ts';
import { qwen3 } from './qwen3.ts';

export const architectures: readonly Architecture[] = [llama, qwen3];

/** @throws ModelError that lists what is supported. */
export function architectureOf(metadata: Metadata): Architecture {
  const name = architectureName(metadata);
  const found = architectures.find(({ names }) => names.includes(name));
  if (found !== undefined) return found;
  const supported = architectures.flatMap(({ names }) => names).join(', ');
  throw new ModelError(`Architecture ${JSON.stringify(name.slice(0, 64))} is not supported; supported: ${supported}.`);
}
