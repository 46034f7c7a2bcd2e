// What the server shows to browsers as it is: a page, or a file that a page is made of. No operation: it has no schema, and no place in
// the spec.

export interface Page {
  /** Exact path, as `/docs`. */
  readonly path: string;
  /** Media type with its charset. */
  readonly type: string;
  /** Answer headers besides the usual ones, lower case. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Called at the first request for it; the bytes are kept. A rejection is answered with 500, and the next request tries again. */
  readonly read: () => Promise<Uint8Array>;
}
