// The object that implements every operation of the spec: one left out, or one too many, does not compile.

import type { Generate } from '../core/generation.ts';
import type { Operations } from '../generated/operations.ts';
import type { Models } from '../generation/models.ts';
import { chatOperations } from './chat.ts';
import { completionOperations } from './completions.ts';
import { modelOperations } from './models.ts';
import { storedOperations, type ChatStore } from './stored.ts';
import { systemOperations, type SystemFacts } from './system.ts';
import { tokenOperations } from './tokens.ts';

export interface OperationParts {
  readonly models: Models;
  readonly generate: Generate;
  /** What callers ask to be kept. */
  readonly store: ChatStore;
  readonly system: SystemFacts;
}

export function createOperations({ models, generate, store, system }: OperationParts): Operations {
  return {
    ...chatOperations(models, generate, store),
    ...storedOperations(store, models),
    ...completionOperations(generate),
    ...tokenOperations(models),
    ...modelOperations(models),
    ...systemOperations(models, system),
  };
}
