// Typed, capped reads of a checkpoint's hyper-parameters: keys `ARCHITECTURE.KEY` of the GGUF specification. Every number comes
// from a file that anybody may have written, and sizes allocations and loops later: none is used before its range is checked.

import type { Metadata, MetadataValue } from '../core/metadata.ts';
import { ModelError } from './error.ts';

export interface Range {
  readonly least: number;
  readonly most: number;
  /** Value of a missing key; without it the key is required. */
  readonly fallback?: number | undefined;
}

export class HyperParameters {
  readonly architecture: string;
  readonly #metadata: Metadata;

  constructor(metadata: Metadata, architecture: string) {
    this.#metadata = metadata;
    this.architecture = architecture;
  }

  has(key: string): boolean {
    return this.#metadata[this.#name(key)] !== undefined;
  }

  integer(key: string, range: Range): number {
    const value = this.number(key, range);
    if (!Number.isInteger(value)) throw this.#outside(key, value, range, 'an integer');
    return value;
  }

  /** Some files write one value per layer; a network whose layers differ in it is another architecture. */
  integerOfAllLayers(key: string, range: Range): number {
    const value = this.#metadata[this.#name(key)];
    if (!Array.isArray(value)) return this.integer(key, range);
    const first: unknown = value[0];
    if (typeof first !== 'number' || value.some((entry) => entry !== first)) {
      throw new ModelError(`${this.#name(key)} differs between layers; supported is one number for all layers.`);
    }
    if (!Number.isInteger(first)) throw this.#outside(key, first, range, 'an integer');
    return this.#within(key, first, range);
  }

  number(key: string, range: Range): number {
    const value = this.#metadata[this.#name(key)];
    if (value === undefined) {
      if (range.fallback !== undefined) return range.fallback;
      throw new ModelError(`${this.#name(key)} is missing; the architecture needs it.`);
    }
    // 64-bit integers that exceed a double's precision exceed every range here, too.
    const number = typeof value === 'bigint' ? Number(value) : value;
    if (typeof number !== 'number') throw this.#outside(key, value, range, 'a number');
    return this.#within(key, number, range);
  }

  text(key: string, choices: readonly string[], fallback: string): string {
    const value = this.#metadata[this.#name(key)] ?? fallback;
    if (typeof value === 'string' && choices.includes(value)) return value;
    throw new ModelError(`${this.#name(key)} is ${show(value)}; supported: ${choices.join(', ')}.`);
  }

  /** Refuses keys that would change the result and that the architecture's code knows nothing about. */
  refuse(reasons: Readonly<Record<string, { readonly neutral: MetadataValue; readonly reason: string }>>): void {
    for (const [key, { neutral, reason }] of Object.entries(reasons)) {
      const value = this.#metadata[this.#name(key)];
      if (value === undefined || value === neutral || (typeof value === 'bigint' && Number(value) === neutral))
        continue;
      throw new ModelError(`${this.#name(key)} is ${show(value)}; supported is ${show(neutral)}: ${reason}.`);
    }
  }

  #name(key: string): string {
    return `${this.architecture}.${key}`;
  }

  #within(key: string, value: number, range: Range): number {
    // Written so that NaN fails.
    if (value >= range.least && value <= range.most) return value;
    throw this.#outside(key, value, range, 'a number');
  }

  #outside(key: string, value: MetadataValue, range: Range, kind: string): ModelError {
    const limits = `${kind} from ${range.least} to ${range.most}`;
    return new ModelError(`${this.#name(key)} is ${show(value)}; supported: ${limits}.`);
  }
}

function show(value: MetadataValue): string {
  if (Array.isArray(value)) return `an array of ${value.length} values`;
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 64)) : String(value);
}
