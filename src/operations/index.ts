// The object that implements every operation of the spec: one left out, or one too many, does not compile.

import type { Generate } from '../core/generation.ts';
import type { Operations } from '../generated/operations.ts';
import type { Models } from '../generation/models.ts';
import { chatOperations } from './chat.ts';
import { modelOperations } from './models.ts';
import { systemOperations, type SystemFacts } from './system.ts';

export interface OperationParts {
  readonly models: Models;
  readonly generate: Generate;
  readonly system: SystemFacts;
}

export function createOperations({ models, generate, system }: OperationParts): Operations {
  return { ...chatOperations(generate), ...modelOperations(models), ...systemOperations(models, system) };
}
