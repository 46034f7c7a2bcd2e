// When each piece of text was where: its last token sampled in the engine process and heard in the server's, its event written to the socket.
// Pieces and tokens need not be as many: text waits for whole characters, and a piece counts from the token that released it.

import type { Generate, GenerationEvent } from '../../src/core/generation.ts';
import type { Accepted } from '../../src/engine/client.ts';
import type { EngineHandle } from '../../src/generation/models.ts';

/** Nanoseconds of the clock that all processes share. */
export interface Stamp {
  readonly sampledAt: bigint;
  readonly heardAt: bigint;
  writtenAt: bigint;
}

export class Stamps {
  /** Request -> stamp of each of its pieces; `undefined` where no new token released it. */
  readonly pieces = new Map<string, (Stamp | undefined)[]>();
  readonly #latest = new Map<string, Stamp>();

  /** The same engine, whose tokens are noted as they are heard. It must stamp them (`LoadOptions.stampsTokens`). */
  engine(engine: EngineHandle): EngineHandle {
    const noted = (id: string, accepted: Accepted): Accepted => ({
      ...accepted,
      events: this.#heard(id, accepted.events),
    });
    return {
      get state() {
        return engine.state;
      },
      submit: async (id, ...rest) => noted(id, await engine.submit(id, ...rest)),
    };
  }

  /** The same generation, whose pieces are noted as they leave. */
  generate(generate: Generate): Generate {
    return (request, signal) => this.#spoken(request.id, generate(request, signal));
  }

  async *#heard(id: string, events: Accepted['events']): Accepted['events'] {
    for await (const event of events) {
      if (event.type === 'tokens' && event.sampledAt !== undefined) {
        this.#latest.set(id, { sampledAt: event.sampledAt, heardAt: process.hrtime.bigint(), writtenAt: 0n });
      }
      yield event;
    }
  }

  async *#spoken(id: string, events: AsyncIterable<GenerationEvent>): AsyncIterable<GenerationEvent> {
    const pieces: (Stamp | undefined)[] = [];
    this.pieces.set(id, pieces);
    for await (const event of events) {
      if (event.type !== 'delta') {
        yield event;
        continue;
      }
      const stamp = this.#latest.get(id);
      pieces.push(stamp);
      this.#latest.delete(id);
      yield event;
      // Asked for the next one: a stream does so when this one is written.
      if (stamp !== undefined) stamp.writtenAt = process.hrtime.bigint();
    }
  }
}
