// Llama 2 and 3, Mistral 7B and Nemo, TinyLlama, SmolLM2, Yi and their kin: the plain decoder. Rotations are of adjacent pairs,
// since converters to GGUF permute the q and k rows that way; Llama 3.1's long context comes as `rope_freqs.weight`.

import { readDecoderConfig } from '../config.ts';
import { buildDecoder } from '../decoder.ts';
import type { Architecture } from '../network.ts';

export const llama: Architecture = {
  names: ['llama'],
  config: (metadata) => readDecoderConfig(metadata, { ropeLayout: 'adjacent', normalisesHeads: false }),
  build: buildDecoder,
};
