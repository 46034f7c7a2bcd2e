// What `bench compare` asks of each engine, ours and others: the speed of a prompt and of an answer, measured by its own means.

export interface Work {
  /** A GGUF file. */
  readonly model: string;
  readonly threads: number;
  /** Tokens. */
  readonly prompt: number;
  readonly gen: number;
  /** What prompt and answer each stand behind. */
  readonly depth: number;
}

export interface Measurement {
  readonly prefill_tok_s: number;
  readonly decode_tok_s: number;
  /** Version and flags, as shown. */
  readonly version: string;
}

export interface Peer {
  readonly name: string;
  /** One run from a fresh start. Rejects when the engine cannot do it. */
  readonly measure: (work: Work) => Promise<Measurement>;
}

/** An engine that is not on this machine. */
export interface AbsentPeer {
  readonly name: string;
  /** What would make it present. */
  readonly missing: string;
}
