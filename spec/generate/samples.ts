// Example values of a schema, for tests: the smallest value, and one that shows each branch, bound, choice and property. Reads what other
// people's documents contain as well (`allOf`, `nullable`).

export interface AnySchema {
  readonly [keyword: string]: unknown;
  readonly $ref?: string;
  readonly allOf?: readonly AnySchema[];
  readonly anyOf?: readonly AnySchema[];
  readonly oneOf?: readonly AnySchema[];
  readonly properties?: Readonly<Record<string, AnySchema>>;
  readonly required?: readonly string[];
  readonly items?: AnySchema;
  readonly additionalProperties?: boolean | AnySchema;
  readonly enum?: readonly unknown[];
  readonly type?: string | readonly string[];
  readonly nullable?: boolean;
}

export class Samples {
  readonly #schemas: Readonly<Record<string, AnySchema>>;

  constructor(schemas: Readonly<Record<string, AnySchema>>) {
    this.#schemas = schemas;
  }

  /** A schema without `$ref` and `allOf` at its top. */
  resolve(schema: AnySchema): AnySchema {
    if (schema.$ref !== undefined) {
      const { $ref, ...beside } = schema;
      return { ...this.resolve(this.#schemas[$ref.slice($ref.lastIndexOf('/') + 1)]), ...beside };
    }
    if (schema.allOf === undefined) return schema;
    const { allOf, ...own } = schema;
    const parts = [...allOf, own].map((part) => this.resolve(part));
    return {
      ...Object.assign({}, ...parts),
      properties: Object.assign({}, ...parts.map(({ properties }) => properties)),
      required: parts.flatMap(({ required }) => required ?? []),
    };
  }

  /** A small value. */
  one(schema: AnySchema): unknown {
    return this.some(schema, 1)[0];
  }

  /** `depth`: how many levels of objects below this one are varied as well. */
  some(schema: AnySchema, depth: number): unknown[] {
    const plain = this.resolve(schema);
    const values = this.#values(plain, depth);
    return plain.nullable === true ? [...values, null] : values;
  }

  #values(schema: AnySchema, depth: number): unknown[] {
    if (schema['const'] !== undefined) return [schema['const']];
    if (schema.enum !== undefined) return [...schema.enum];
    const branches = schema.anyOf ?? schema.oneOf;
    if (branches !== undefined) return branches.flatMap((branch) => this.some(branch, depth));
    return [schema.type ?? (schema.properties === undefined ? 'string' : 'object')]
      .flat()
      .flatMap((type) => this.#typed(type, schema, depth));
  }

  #typed(type: string, schema: AnySchema, depth: number): unknown[] {
    switch (type) {
      case 'null':
        return [null];
      case 'boolean':
        return [true, false];
      case 'integer':
      case 'number': {
        const bounds = [schema['default'], schema['minimum'], schema['maximum']].filter(
          (bound) => typeof bound === 'number',
        );
        return bounds.length === 0 ? [1] : bounds;
      }
      case 'array':
        return this.#lists(schema, depth);
      case 'object':
        return this.#objects(schema, depth);
      default:
        return [schema['format'] === 'uri' ? 'https://example.com/a' : 'text'];
    }
  }

  #lists(schema: AnySchema, depth: number): unknown[] {
    const items = schema.items === undefined ? [] : this.some(schema.items, depth);
    const lists = items.map((item) => [item]);
    return (schema['minItems'] ?? 0) === 0 ? [...lists, []] : lists;
  }

  #objects({ properties = {}, required = [], additionalProperties }: AnySchema, depth: number): unknown[] {
    const base = Object.fromEntries(required.map((key) => [key, this.one(properties[key])]));
    const more: unknown[] = [];
    if (typeof additionalProperties === 'object') more.push({ ...base, key: this.one(additionalProperties) });
    if (depth > 0) {
      for (const [key, property] of Object.entries(properties)) {
        for (const value of this.some(property, depth - 1)) more.push({ ...base, [key]: value });
      }
    }
    return [base, ...more];
  }
}
