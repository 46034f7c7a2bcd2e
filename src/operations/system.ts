// The server about itself: /health, /ready, /version, /metrics, /openapi.json. None of them asks the engine anything, so they answer at
// once whatever it is doing.

import { ApiError } from '../core/errors.ts';
import type { Operations } from '../generated/operations.ts';
import type { Models, ModelState } from '../generation/models.ts';

type SystemOperations = Pick<Operations, 'getHealth' | 'getReady' | 'getVersion' | 'getMetrics' | 'getOpenApi'>;

export interface SystemFacts {
  readonly version: string;
  /** The OpenAPI document. */
  readonly document: Readonly<Record<string, unknown>>;
  /** Whether the server takes no new requests any more. */
  readonly isStopping: () => boolean;
  /** Whether /health says 503 whenever /ready does. */
  readonly strictHealth: boolean;
  /** Prometheus text of the whole server, or of the model of this name and what belongs to no model. */
  readonly metrics: (model: string | undefined) => Promise<string>;
}

export function systemOperations(models: Models, facts: SystemFacts): SystemOperations {
  const { version } = facts;
  const name = Object.freeze({ name: 'tramontane', version });
  const document = Object.freeze(facts.document);
  const status = (): ModelState | 'draining' => (facts.isStopping() ? 'draining' : models.default.state);
  const refuseUnlessReady = (now: ModelState | 'draining'): void => {
    if (now !== 'ready') throw new ApiError('unavailable', notReady[now], { code: now, retryAfterSeconds: 1 });
  };
  return {
    async getHealth() {
      const now = status();
      if (facts.strictHealth) refuseUnlessReady(now);
      return { status: now, version };
    },
    async getReady() {
      refuseUnlessReady(status());
      return { status: 'ready' };
    },
    getVersion: () => name,
    async getMetrics({ query }) {
      return facts.metrics(query.model === undefined ? undefined : models.find(query.model).name);
    },
    getOpenApi: () => document,
  };
}

const notReady: Readonly<Record<Exclude<ModelState, 'ready'> | 'draining', string>> = {
  loading: 'The model is still loading.',
  engine_down: 'The engine process of the model ended and is being started again.',
  failed: 'The engine process of the model does not stay up; the log of the server says why.',
  draining: 'The server is shutting down.',
};
