// Qwen3 (dense): the plain decoder with each head of q and k normalised before its rotation, pairs a half head apart, and a
// head size of its own (`attention.key_length`).

import { readDecoderConfig } from '../config.ts';
import { buildDecoder } from '../decoder.ts';
import type { Architecture } from '../network.ts';

export const qwen3: Architecture = {
  names: ['qwen3'],
  config: (metadata) => readDecoderConfig(metadata, { ropeLayout: 'halves', normalisesHeads: true }),
  build: buildDecoder,
};
