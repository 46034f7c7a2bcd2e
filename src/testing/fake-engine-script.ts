// What a test tells a fake engine process, and what both must know.

export interface FakeEngineScript {
  readonly load: 'fine' | 'unloadable' | 'crash' | 'never';
  /** `stuck`: the first forward pass lasts for ever. `deaf`: the process dies of the first submission, before it says anything. */
  readonly forward: 'fine' | 'stuck' | 'deaf';
  /** A local port that the process connects to: the connection ends when the process does. */
  readonly pulse?: number;
}

/** A prompt that begins with this id ends the process with an exception in its first forward pass. */
export const crashId = 95;

export const fakeContextLength = 100_000;
