// Shapes of published models, and one that no model has. All share the embedding with the output.

export interface Shape {
  readonly architecture: 'llama' | 'qwen3';
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly feedForward: number;
  /** At least the 256 bytes and the end token. */
  readonly vocabulary: number;
  readonly ropeBase: number;
}

export const shapes: Readonly<Record<string, Shape>> = {
  'qwen3-0.6b': {
    architecture: 'qwen3',
    width: 1024,
    layers: 28,
    heads: 16,
    kvHeads: 8,
    headDim: 128,
    feedForward: 3072,
    vocabulary: 151936,
    ropeBase: 1e6,
  },
  'smollm2-135m': {
    architecture: 'llama',
    width: 576,
    layers: 30,
    heads: 9,
    kvHeads: 3,
    headDim: 64,
    feedForward: 1536,
    vocabulary: 49152,
    ropeBase: 1e5,
  },
  'llama-3.2-1b': {
    architecture: 'llama',
    width: 2048,
    layers: 16,
    heads: 32,
    kvHeads: 8,
    headDim: 64,
    feedForward: 8192,
    vocabulary: 128256,
    ropeBase: 5e5,
  },
  // More than one WASM memory can hold, with little arithmetic: 5.1 GiB in q8_0, for `npm run test:large`.
  'wide-5b': {
    architecture: 'llama',
    width: 8192,
    layers: 6,
    heads: 64,
    kvHeads: 8,
    headDim: 128,
    feedForward: 28672,
    vocabulary: 1024,
    ropeBase: 5e5,
  },
};
