// What is wrong with a checkpoint as a model: a key, a tensor or an option that this engine cannot build a network from.

/** The message names the key or tensor, what it holds, and what is supported. */
export class ModelError extends Error {
  override readonly name = 'ModelError';
}
