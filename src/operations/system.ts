// The server about itself: /health, /ready, /openapi.json. None of them asks the engine anything, so they answer at once whatever it
// is doing.

import { ApiError } from '../core/errors.ts';
import type { Operations } from '../generated/operations.ts';
import type { Models, ModelState } from '../generation/models.ts';

type SystemOperations = Pick<Operations, 'getHealth' | 'getReady' | 'getOpenApi'>;

export interface SystemFacts {
  readonly version: string;
  /** The OpenAPI document. */
  readonly document: Readonly<Record<string, unknown>>;
  /** Whether the server takes no new requests any more. */
  readonly isStopping: () => boolean;
}

export function systemOperations(models: Models, { version, document, isStopping }: SystemFacts): SystemOperations {
  const status = (): ModelState | 'draining' => (isStopping() ? 'draining' : models.default.state);
  return {
    async getHealth() {
      return { status: status(), version };
    },
    async getReady() {
      const now = status();
      if (now === 'ready') return { status: now };
      throw new ApiError('unavailable', notReady[now], { code: now, retryAfterSeconds: 1 });
    },
    async getOpenApi() {
      return document;
    },
  };
}

const notReady: Readonly<Record<Exclude<ModelState, 'ready'> | 'draining', string>> = {
  loading: 'The model is still loading.',
  engine_down: 'The engine process of the model ended and is being started again.',
  failed: 'The engine process of the model does not stay up; the log of the server says why.',
  draining: 'The server is shutting down.',
};
