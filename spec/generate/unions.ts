// Unions of a request must be decidable at a glance: by the JSON type of the value, or by a tag. Then a wrong value belongs to one branch and
// its caller reads one clear message, not the complaints of all branches together.

import type { Document, JsonType, Schema } from './schema.ts';
import { isNull, jsonTypes, resolve, SpecError } from './schema.ts';

/** Branches told apart by JSON type; null is only noted. */
export interface TypedUnion {
  readonly kind: 'typed';
  readonly nullable: boolean;
  readonly branches: readonly { readonly types: readonly JsonType[]; readonly schema: Schema }[];
}

/** Branches told apart by the value of a property. */
export interface TaggedUnion {
  readonly kind: 'tagged';
  readonly tag: string;
  readonly branches: readonly { readonly values: readonly string[]; readonly schema: Schema }[];
  /** Takes every other value of the tag. */
  readonly otherwise: Schema | undefined;
  /** Takes values without the tag: the branch in which the tag is optional. */
  readonly untagged: Schema | undefined;
}

/** `undefined` for a schema that is no union. */
export function unionOf(schema: Schema, document: Document): TypedUnion | TaggedUnion | undefined {
  const branches = schema.anyOf ?? schema.oneOf;
  if (branches === undefined) return undefined;
  const tag = tagOf(schema);
  if (tag === undefined) return typedUnion(branches, document);
  const union = taggedUnion(branches, tag, document);
  if (schema['x-tag'] === undefined && (union.otherwise !== undefined || union.untagged !== undefined)) {
    throw new SpecError('discriminator', `${tag} is open or may be missing in a branch: use anyOf with x-tag`);
  }
  return union;
}

/** The property by which the branches of a union are told apart. */
export function tagOf(schema: Schema): string | undefined {
  return schema['x-tag'] ?? schema.discriminator?.propertyName;
}

function typedUnion(schemas: readonly Schema[], document: Document): TypedUnion {
  const branches = schemas
    .filter((schema) => !isNull(schema))
    .map((schema) => ({ types: [...(jsonTypes(schema, document) ?? [])], schema }));
  const seen = new Set<JsonType>();
  for (const { types } of branches) {
    if (types.length === 0) throw new SpecError('union', 'a branch without a type cannot be told from the others');
    for (const type of types) {
      if (seen.has(type))
        throw new SpecError('union', `two branches take ${type}: name the tag (x-tag or discriminator)`);
      seen.add(type);
    }
  }
  return { kind: 'typed', nullable: schemas.some(isNull) || seen.has('null'), branches };
}

function taggedUnion(schemas: readonly Schema[], tag: string, document: Document): TaggedUnion {
  const branches: { values: string[]; schema: Schema }[] = [];
  let otherwise: Schema | undefined;
  let untagged: Schema | undefined;
  const seen = new Set<string>();
  for (const branch of schemas) {
    const plain = resolve(branch, document);
    const property = plain.properties?.[tag];
    if (property === undefined) throw new SpecError(`union by ${tag}`, `a branch has no property ${tag}`);
    if (plain.required?.includes(tag) !== true) {
      if (untagged !== undefined) throw new SpecError(`union by ${tag}`, `two branches take values without ${tag}`);
      untagged = branch;
    }
    const values = tagValues(property);
    if (values === undefined) {
      if (otherwise !== undefined) throw new SpecError(`union by ${tag}`, `two branches take any ${tag}`);
      otherwise = branch;
      continue;
    }
    for (const value of values) {
      if (seen.has(value)) throw new SpecError(`union by ${tag}`, `two branches take ${tag} ${value}`);
      seen.add(value);
    }
    branches.push({ values, schema: branch });
  }
  return { kind: 'tagged', tag, branches, otherwise, untagged };
}

function tagValues(property: Schema): string[] | undefined {
  const values = property.enum ?? (property.const === undefined ? undefined : [property.const]);
  return values?.filter((value) => typeof value === 'string');
}
