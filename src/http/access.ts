// Who may ask: the Host header (DNS rebinding), the Origin header (other people's web pages), keys; and what browsers are told
// about it (CORS, Fetch standard §3.2).

import { ApiError } from '../core/errors.ts';
import type { Principal, Route } from '../core/operation.ts';
import type { Exchange, Headers } from './transport.ts';

export interface AccessOptions {
  /** Address the server is bound to. On loopback only loopback names and `allowedHosts` may stand in `Host`. */
  readonly host: string;
  readonly allowedHosts?: readonly string[] | undefined;
  /** Origins besides our own and loopback ones that may read answers; `*` for all. */
  readonly corsOrigins?: readonly string[] | undefined;
  /** Who holds this key; `undefined` refuses. Without this function everybody is `anonymous`, whatever they send. */
  readonly authenticate?: ((key: string) => Principal | undefined) | undefined;
}

/** Whose headers decide. */
export type Asking = Pick<Exchange, 'header'>;

export const anonymous: Principal = { id: 'anonymous' };

const varied: Headers = { vary: 'origin' };

const exposedHeaders = 'x-request-id, request-id, x-ignored-fields, retry-after, traceresponse';

export class Access {
  readonly #options: AccessOptions;
  readonly #checksHost: boolean;
  /** The name that was allowed last: most requests have the same. */
  #known: string | undefined;

  constructor(options: AccessOptions) {
    this.#options = options;
    this.#checksHost = isLoopback(options.host) && options.allowedHosts?.includes('*') !== true;
  }

  /** Throws 403 for names that are not ours and for origins that may not use this server. */
  check(asking: Asking): void {
    const host = asking.header('host');
    const origin = asking.header('origin');
    if (this.#checksHost && host !== undefined && host !== this.#known) {
      if (this.#isOurs(host)) this.#known = host;
      else {
        throw new ApiError(
          'permission',
          `The host name "${shown(host)}" is not one of this server. Use 127.0.0.1 or localhost, or allow it with --allowed-hosts.`,
          { code: 'host_not_allowed' },
        );
      }
    }
    if (origin !== undefined && !this.#isAllowed(origin, host)) {
      throw new ApiError(
        'permission',
        `Pages of the origin "${shown(origin)}" may not use this server. Allow it with --cors-origins.`,
        { code: 'origin_not_allowed' },
      );
    }
  }

  /** Whether a route asks nobody for a key. */
  isOpen({ access }: Pick<Route, 'access'>): boolean {
    return access === 'open' || (access === 'open_on_loopback' && isLoopback(this.#options.host));
  }

  /** Throws 401 without a valid key. Either header will do: clients that know both send one and leave a dummy in the other. */
  principal(asking: Asking): Principal {
    const { authenticate } = this.#options;
    if (authenticate === undefined) return anonymous;
    const bearer = /^bearer +(\S+) *$/i.exec(asking.header('authorization') ?? '')?.[1];
    const sent = [bearer, asking.header('x-api-key')].filter((key) => key !== undefined);
    for (const key of sent) {
      const principal = authenticate(key);
      if (principal !== undefined) return principal;
    }
    const what = sent.length === 0 ? 'No API key was sent' : 'The API key that was sent is none of this server';
    throw new ApiError(
      'authentication',
      `${what}. Send a valid one as "Authorization: Bearer KEY" or "x-api-key: KEY".`,
      {
        code: 'invalid_api_key',
        // RFC 6750 §3: no error word for those who did not try.
        headers: { 'www-authenticate': sent.length === 0 ? 'Bearer' : 'Bearer error="invalid_token"' },
      },
    );
  }

  /** For every answer. */
  corsHeaders(asking: Asking): Headers {
    if (this.#options.corsOrigins?.includes('*') === true) {
      return { 'access-control-allow-origin': '*', 'access-control-expose-headers': exposedHeaders };
    }
    const origin = asking.header('origin');
    if (origin === undefined || !this.#isAllowed(origin, asking.header('host'))) return varied;
    return {
      vary: 'origin',
      'access-control-allow-origin': origin,
      'access-control-expose-headers': exposedHeaders,
    };
  }

  /** For the answer to a preflight, besides `corsHeaders`. */
  preflightHeaders(allow: readonly string[], requestedHeaders: string | undefined): Headers {
    // SDKs send a dozen headers of their own (x-stainless-...): what is asked for is allowed, none of them has power here.
    const names = requestedHeaders !== undefined && /^[\w\-, ]{1,2048}$/.test(requestedHeaders) ? requestedHeaders : '';
    return {
      allow: allow.join(', '),
      'access-control-allow-methods': allow.join(', '),
      ...(names === '' ? {} : { 'access-control-allow-headers': names }),
      // Browsers cap it (Chromium at two hours).
      'access-control-max-age': '7200',
      // Asked for when a page of the wider net is allowed here and we are on loopback.
      'access-control-allow-private-network': 'true',
    };
  }

  #isOurs(host: string): boolean {
    const name = hostName(host);
    return name === this.#options.host || isLoopback(name) || this.#options.allowedHosts?.includes(name) === true;
  }

  #isAllowed(origin: string, host: string | undefined): boolean {
    const { corsOrigins } = this.#options;
    if (corsOrigins?.includes('*') === true || corsOrigins?.includes(origin) === true) return true;
    const match = /^https?:\/\/([^/]+)$/i.exec(origin);
    if (match === null) return false;
    return match[1].toLowerCase() === host?.toLowerCase() || isLoopback(hostName(match[1]));
  }
}

/** `localhost:1234` -> `localhost`, `[::1]:80` -> `::1`. */
function hostName(host: string): string {
  const name = host.trim().toLowerCase();
  if (name.startsWith('[')) return name.slice(1, name.indexOf(']'));
  return name.replace(/:\d*$/, '').replace(/\.$/, '');
}

/** RFC 6761 §6.3 for the names, 127.0.0.0/8 and ::1 for the addresses. */
function isLoopback(name: string): boolean {
  return (
    name === 'localhost' ||
    name.endsWith('.localhost') ||
    name === '::1' ||
    name === '[::1]' ||
    /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name)
  );
}

function shown(text: string): string {
  return text.slice(0, 100);
}
