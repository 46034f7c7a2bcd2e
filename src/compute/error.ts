// What a backend cannot do with a plan, a file or a batch.

/** The message names the weight, operation or limit, and what is supported. */
export class BackendError extends Error {
  override readonly name = 'BackendError';
}
