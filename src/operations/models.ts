// GET /v1/models and /v1/models/{model}: exactly the names that requests may write.

import type { Operations } from '../generated/operations.ts';
import type { Model, ModelList } from '../generated/types.ts';
import type { ModelName, Models, ModelState } from '../generation/models.ts';

type ModelOperations = Pick<Operations, 'listModels' | 'retrieveModel'>;

export function modelOperations(models: Models): ModelOperations {
  let last: ModelList = { object: 'list', data: [] };
  return {
    listModels() {
      const names = models.list();
      if (!isStill(last, names)) last = Object.freeze({ object: 'list', data: names.map(writeModel) });
      return last;
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

/** Whether nothing has changed since this list was written. What else is in it, a model never changes. */
function isStill({ data }: ModelList, names: readonly ModelName[]): boolean {
  if (data.length !== names.length) return false;
  for (let i = 0; i < data.length; i++) {
    const { id, model } = names[i];
    const { id: wasId, root, created, status, max_model_len: length } = data[i];
    if (wasId !== id || root !== model.name || created !== model.created) return false;
    if (status !== statuses[model.state] || length !== model.contextLength) return false;
  }
  return true;
}

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
