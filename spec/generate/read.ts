// spec/*.yaml -> one document. Every mistake that would otherwise be merged over is refused here: two files that name the same
// thing, references to nothing, schemas that nobody uses, keywords that no generator knows.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Document, Schema } from './schema.ts';
import { answers, bodySchema, children, operationsOf, reachable, referredName, SpecError } from './schema.ts';

/** `files`: name -> YAML text, as `readFiles` finds them. */
export function readSpec(files: Readonly<Record<string, string>>): Document {
  const head = parseFile(files, 'openapi.yaml');
  const document = {
    ...head,
    paths: merge(files, 'paths/'),
    components: { ...(head['components'] as object), schemas: merge(files, 'schemas/') },
  } as unknown as Document;
  checkOperations(document);
  checkReferences(document);
  checkUse(document);
  for (const [name, schema] of Object.entries(document.components.schemas)) checkSchema(name, schema);
  for (const { operation } of operationsOf(document)) {
    const body = bodySchema(operation);
    const media = Object.values(answers(operation));
    const parameters = operation.parameters ?? [];
    for (const { schema } of [...(body === undefined ? [] : [{ schema: body }]), ...media, ...parameters]) {
      checkSchema(operation.operationId, schema);
    }
  }
  return document;
}

export function readFiles(folder: string): Record<string, string> {
  const names = ['openapi.yaml'];
  for (const part of ['paths', 'schemas']) {
    for (const file of readdirSync(join(folder, part)).sort())
      if (file.endsWith('.yaml')) names.push(`${part}/${file}`);
  }
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
}

function parseFile(files: Readonly<Record<string, string>>, name: string): Record<string, unknown> {
  const text = files[name];
  if (text === undefined) throw new SpecError(name, 'is missing');
  // `parse` refuses a key that stands twice in one map.
  const value: unknown = parse(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new SpecError(name, 'holds no map');
  return value as Record<string, unknown>;
}

function merge(files: Readonly<Record<string, string>>, folder: string): Record<string, unknown> {
  const merged: Record<string, unknown> = {};
  const origin = new Map<string, string>();
  for (const file of Object.keys(files).filter((name) => name.startsWith(folder))) {
    for (const [key, value] of Object.entries(parseFile(files, file))) {
      const other = origin.get(key);
      if (other !== undefined) throw new SpecError(file, `${key} is already in ${other}`);
      origin.set(key, file);
      merged[key] = value;
    }
  }
  return merged;
}

function checkOperations(document: Document): void {
  const seen = new Map<string, string>();
  for (const { path, method, operation } of operationsOf(document)) {
    const place = `${method.toUpperCase()} ${path}`;
    if (operation.operationId === undefined) throw new SpecError(place, 'has no operationId');
    const other = seen.get(operation.operationId);
    if (other !== undefined)
      throw new SpecError(place, `operationId ${operation.operationId} is already used by ${other}`);
    seen.set(operation.operationId, place);
    const declared = (operation.parameters ?? []).filter(({ in: where }) => where === 'path').map(({ name }) => name);
    const written = [...path.matchAll(/\{([^}]+)\}/g)].map((match) => match[1]);
    if (declared.toSorted().join() !== written.toSorted().join()) {
      throw new SpecError(place, `declares the path parameters ${declared.join()}, but the path has ${written.join()}`);
    }
    for (const { name, 'x-slashes': slashes } of operation.parameters ?? []) {
      if (slashes === true && !path.endsWith(`/{${name}}`))
        throw new SpecError(place, `x-slashes: ${name} must end the path`);
    }
  }
}

function checkReferences(document: Document): void {
  const visit = (value: unknown, place: string): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, inner] of Object.entries(value)) {
      if (key === '$ref' && typeof inner === 'string') {
        let target: unknown = inner.startsWith('#/') ? document : undefined;
        for (const step of inner.slice(2).split('/')) target = (target as Record<string, unknown> | undefined)?.[step];
        if (target === undefined) throw new SpecError(place, `${inner} leads nowhere`);
      } else visit(inner, `${place}/${key}`);
    }
  };
  visit(document, '#');
}

function checkUse(document: Document): void {
  const roots: Schema[] = [];
  const collect = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    if (referredName(value) !== undefined) roots.push(value);
    Object.values(value).forEach(collect);
  };
  collect(document.paths);
  collect(document.components.responses);
  const used = reachable(roots, document);
  for (const name of Object.keys(document.components.schemas)) {
    if (!used.has(name)) throw new SpecError(`schema ${name}`, 'is used by no operation');
  }
}

const keywords = new Set(
  (
    '$ref type title description deprecated default const enum minimum maximum exclusiveMinimum exclusiveMaximum minLength maxLength ' +
    'pattern minItems maxItems items required properties additionalProperties maxProperties propertyNames not anyOf oneOf ' +
    'discriminator x-tag x-support x-accepts x-reason x-expects'
  ).split(' '),
);

function checkSchema(place: string, schema: Schema): void {
  for (const key of Object.keys(schema)) if (!keywords.has(key)) throw new SpecError(place, `unknown keyword ${key}`);
  for (const name of schema.required ?? []) {
    if (schema.properties?.[name] === undefined)
      throw new SpecError(place, `requires ${name}, but does not describe it`);
  }
  for (const [name, property] of Object.entries(schema.properties ?? {})) checkSchema(`${place}.${name}`, property);
  for (const child of children({ ...schema, properties: {} })) checkSchema(place, child);
}
