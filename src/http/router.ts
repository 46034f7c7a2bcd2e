// Method and path -> route, by the templates of the route table. Segments are split first and percent-decoded afterwards, so
// that an id may contain an encoded slash (`/v1/models/org%2Fname`). `{+name}`, always last, takes the rest of the path with its
// slashes. Literal segments win over parameters.

import { ApiError, invariant } from '../core/errors.ts';
import type { Dialect, Route } from '../core/operation.ts';

export type Match =
  | { readonly type: 'route'; readonly route: Route; readonly parameters: Readonly<Record<string, string>> }
  | { readonly type: 'options'; readonly allow: readonly string[] }
  | { readonly type: 'wrong_method'; readonly allow: readonly string[]; readonly dialect: Dialect }
  /** `suggestion`: a path of the table that was probably meant. */
  | { readonly type: 'unknown'; readonly suggestion: string | undefined };

interface Place {
  readonly literals: Map<string, Place>;
  parameter: Place | undefined;
  /** `{+name}`: one or more segments to the end. */
  rest: Place | undefined;
  readonly routes: Map<string, Route>;
}

export class Router {
  readonly #root: Place = newPlace();
  readonly #methods = new Set<string>();
  /** Path -> method -> what needs no search. */
  readonly #plain = new Map<string, Map<string, Match & { type: 'route' }>>();

  constructor(routes: readonly Route[]) {
    for (const route of routes) {
      let place = this.#root;
      const segments = route.path.split('/').slice(1);
      for (const [index, segment] of segments.entries()) {
        if (/^\{\+\w+\}$/.test(segment)) {
          invariant(index === segments.length - 1, `the rest parameter of ${route.path} stands last`);
          place = place.rest ??= newPlace();
          continue;
        }
        const isParameter = /^\{[^{}]+\}$/.test(segment);
        invariant(isParameter || !/[{}]/.test(segment), `a parameter of ${route.path} is a whole segment`);
        if (isParameter) place = place.parameter ??= newPlace();
        else {
          const next = place.literals.get(segment) ?? newPlace();
          place.literals.set(segment, next);
          place = next;
        }
      }
      invariant(!place.routes.has(route.method), `${route.method} ${route.path} is in the table once`);
      place.routes.set(route.method, route);
      if (!route.path.includes('{')) {
        const methods = this.#plain.get(route.path) ?? new Map<string, Match & { type: 'route' }>();
        this.#plain.set(route.path, methods.set(route.method, { type: 'route', route, parameters: {} }));
      }
      this.#methods.add(route.method);
    }
  }

  /** `path`: raw, as the request line has it. Throws when its percent-encoding is broken. */
  match(method: string, path: string): Match {
    const plain = this.#plain.get(path)?.get(method);
    if (plain !== undefined) return plain;
    if (method === 'OPTIONS' && path === '*') return { type: 'options', allow: allowed(this.#methods) };
    const segments = path.split('/').slice(1).map(decode);
    const places = [...find(this.#root, segments, 0)].filter((place) => place.routes.size > 0);
    if (places.length === 0) return { type: 'unknown', suggestion: this.#suggest(path) };
    for (const { routes } of places) {
      const route = routes.get(method) ?? (method === 'HEAD' ? routes.get('GET') : undefined);
      if (route !== undefined) return { type: 'route', route, parameters: parametersOf(route, segments) };
    }
    const methods = places.flatMap((place) => [...place.routes.keys()]);
    if (method === 'OPTIONS') return { type: 'options', allow: allowed(methods) };
    const [{ dialect }] = places[0].routes.values();
    return { type: 'wrong_method', allow: allowed(methods), dialect };
  }

  /** The usual slips: no `/v1`, `/v1` twice (it is part of the base URL), doubled or trailing slashes. */
  #suggest(path: string): string | undefined {
    const clean = path.replaceAll(/\/{2,}/g, '/').replace(/(.)\/$/, '$1');
    const candidates = [clean, clean.replace(/^\/v1\/v1\//, '/v1/'), `/v1${clean}`];
    return candidates.find((candidate) => {
      if (candidate === path) return false;
      const segments = candidate.split('/').slice(1).map(decode);
      return [...find(this.#root, segments, 0)].some((place) => place.routes.size > 0);
    });
  }
}

function newPlace(): Place {
  return { literals: new Map(), parameter: undefined, rest: undefined, routes: new Map() };
}

function* find(place: Place, segments: readonly string[], depth: number): Generator<Place> {
  if (depth === segments.length) {
    yield place;
    return;
  }
  const literal = place.literals.get(segments[depth]);
  if (literal !== undefined) yield* find(literal, segments, depth + 1);
  if (place.parameter !== undefined && segments[depth] !== '') yield* find(place.parameter, segments, depth + 1);
  if (place.rest !== undefined && segments.slice(depth).every((segment) => segment !== '')) yield place.rest;
}

function parametersOf(route: Route, segments: readonly string[]): Record<string, string> {
  const entries = route.path
    .split('/')
    .slice(1)
    .flatMap((name, index) => {
      if (name.startsWith('{+')) return [[name.slice(2, -1), segments.slice(index).join('/')] as const];
      return name.startsWith('{') ? [[name.slice(1, -1), segments[index]] as const] : [];
    });
  return Object.fromEntries(entries);
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new ApiError('invalid_request', 'The path is not valid percent-encoded UTF-8: write % as %25.', {
      code: 'invalid_path',
    });
  }
}

function allowed(methods: Iterable<string>): string[] {
  const all = new Set(methods);
  if (all.has('GET')) all.add('HEAD');
  return [...all, 'OPTIONS'].sort();
}
