// What a server is made of, and what can be set.

import type { Log } from '../core/log.ts';
import type { Operation, Principal, Route } from '../core/operation.ts';
import type { Page } from '../core/page.ts';
import type { Transport } from './transport.ts';

export interface ServerOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** Default 64 KiB. */
  readonly maxHeaderBytes?: number | undefined;
  /** Default 50 MiB. */
  readonly bodyLimitBytes?: number | undefined;
  /** Silence in an event stream after which a comment is sent; default 10 s, 0 never. */
  readonly keepAliveMs?: number | undefined;
  /** Refuse unknown fields instead of naming them in `x-ignored-fields`. */
  readonly strictFields?: boolean | undefined;
  /** See `access.ts`. */
  readonly allowedHosts?: readonly string[] | undefined;
  readonly corsOrigins?: readonly string[] | undefined;
}

/** A request that is over. */
export interface Answered {
  /** Template of its path as the spec writes it; `undefined` where there is no such route. */
  readonly route: string | undefined;
  readonly method: string;
  /** 499 where the caller left before there was one. */
  readonly status: number;
  readonly seconds: number;
}

export interface ServerParts {
  readonly routes: readonly Route[];
  /** One per `operationId` of the table. */
  readonly operations: Readonly<Record<string, Operation>>;
  /** Shown to browsers beside the operations; none of them at the path of an operation. */
  readonly pages?: readonly Page[] | undefined;
  readonly transport: Transport;
  readonly log: Log;
  readonly options: ServerOptions;
  /** Who holds this key; without it everybody is `anonymous`. */
  readonly authenticate?: ((key: string) => Principal | undefined) | undefined;
  /** For counters. */
  readonly onAnswered?: ((answered: Answered) => void) | undefined;
}
