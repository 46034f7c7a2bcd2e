// GET /v1/models and /v1/models/{model}: exactly the names that requests may write.

import type { Operations } from '../generated/operations.ts';
import type { Model } from '../generated/types.ts';
import type { ModelName, Models, ModelState } from '../generation/models.ts';

type ModelOperations = Pick<Operations, 'listModels' | 'retrieveModel'>;

export function modelOperations(models: Models): ModelOperations {
  return {
    async listModels() {
      return { object: 'list', data: models.list().map(writeModel) };
    },
    async retrieveModel({ path }) {
      return writeModel({ id: path.model, model: models.find(path.model) });
    },
  };
}

const statuses: Readonly<Record<ModelState, Model['status']>> = {
  loading: 'loading',
  ready: 'loaded',
  engine_down: 'loading',
  failed: 'failed',
};

function writeModel({ id, model }: ModelName): Model {
  return {
    id,
    object: 'model',
    created: model.created,
    owned_by: 'tramontane',
    status: statuses[model.state],
    root: model.name,
    max_model_len: model.contextLength,
  };
}
