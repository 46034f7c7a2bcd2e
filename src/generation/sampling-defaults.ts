// What a model's authors recommend for sampling: the `general.sampling.*` keys that llama.cpp's converter takes over from generation_config.json.

import type { Metadata } from '../core/metadata.ts';
import type { SamplingDefaults } from './models.ts';

/** Values out of range are as good as none: a recommendation is no reason not to serve a model. */
export function readSamplingDefaults(metadata: Metadata): SamplingDefaults {
  const read = (key: string, isGood: (value: number) => boolean): number | undefined => {
    const value = metadata[`general.sampling.${key}`];
    return typeof value === 'number' && isGood(value) ? value : undefined;
  };
  const isShare = (value: number): boolean => value >= 0 && value <= 1;
  const topK = read('top_k', Number.isInteger);
  return {
    temperature: read('temp', (value) => value >= 0 && value <= 2),
    // 0 and -1 both mean no limit.
    topK: topK === undefined ? undefined : Math.max(0, topK),
    topP: read('top_p', isShare),
    minP: read('min_p', isShare),
    repetitionPenalty: read('penalty_repeat', (value) => value > 0 && value < Infinity),
  };
}
