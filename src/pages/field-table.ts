// What is done with every field of every request body, read out of the OpenAPI document.

export type Support = 'honoured' | 'echoed' | 'refused';

export interface FieldRow {
  /** As a caller would find it: `stream_options.include_usage`, `messages[].content[].text`. */
  readonly name: string;
  readonly support: Support;
  /** What it takes, in words. */
  readonly values: string;
  readonly default: unknown;
  /** Harmless values of a refused field. */
  readonly accepts: readonly unknown[];
  /** In Markdown: what it does, and why it is refused where it is. */
  readonly text: string;
}

export interface FieldTable {
  readonly operationId: string;
  /** Those that take the same body. */
  readonly routes: readonly string[];
  readonly rows: readonly FieldRow[];
}

/** The part of a schema that this file reads. */
interface Schema {
  readonly [key: string]: unknown;
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly title?: string;
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly default?: unknown;
  readonly 'x-tag'?: string;
  readonly 'x-support'?: Support;
  readonly 'x-accepts'?: readonly unknown[];
  readonly 'x-reason'?: string;
}

interface Operation {
  readonly operationId: string;
  readonly requestBody?: { readonly content?: Readonly<Record<string, { readonly schema: Schema }>> };
}

/** One table for each body, in the order of the document. */
export function fieldTables(document: Readonly<Record<string, unknown>>): readonly FieldTable[] {
  const { paths, components } = document as unknown as {
    readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
    readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
  };
  const tables = new Map<string, FieldTable & { readonly routes: string[] }>();
  for (const [path, item] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(item)) {
      const body = operation.requestBody?.content?.['application/json']?.schema;
      if (body === undefined) continue;
      const route = `${method.toUpperCase()} ${path}`;
      const key = body.$ref ?? operation.operationId;
      const known = tables.get(key);
      if (known !== undefined) known.routes.push(route);
      else {
        const rows = new Rows(components.schemas);
        rows.visit(body, '');
        tables.set(key, { operationId: operation.operationId, routes: [route], rows: [...rows.found.values()] });
      }
    }
  }
  return [...tables.values()];
}

const alternative = ', or ';

class Rows {
  readonly found = new Map<string, FieldRow>();
  readonly #schemas: Readonly<Record<string, Schema>>;
  /** Those that are being walked: a schema may contain itself. */
  readonly #open = new Set<string>();

  constructor(schemas: Readonly<Record<string, Schema>>) {
    this.#schemas = schemas;
  }

  visit(schema: Schema, place: string): void {
    const { $ref } = schema;
    if ($ref !== undefined) {
      if (this.#open.has($ref)) return;
      this.#open.add($ref);
      this.visit(this.#resolve(schema), place);
      this.#open.delete($ref);
      return;
    }
    for (const branch of schema.anyOf ?? schema.oneOf ?? []) this.#branch(branch, place, schema['x-tag'] ?? 'type');
    if (schema.items !== undefined) this.visit(schema.items, `${place}[]`);
    for (const [key, property] of Object.entries(schema.properties ?? {})) {
      const name = place === '' ? key : `${place}.${key}`;
      this.#add(name, property);
      if (property['x-support'] !== 'refused') this.visit(property, name);
    }
  }

  /** A kind of value that is refused as a whole is a row under the name of its tag. */
  #branch(branch: Schema, place: string, tag: string): void {
    const plain = this.#resolve(branch);
    if (plain['x-support'] !== 'refused') return this.visit(branch, place);
    const { const: value, enum: values = [value] } = plain.properties?.[tag] ?? {};
    const name = values.filter((each) => typeof each === 'string').join(' or ');
    this.#add(`${place} (${name})`, branch);
  }

  #add(name: string, schema: Schema): void {
    const plain = { ...this.#resolve(schema), ...schema };
    const support = plain['x-support'];
    if (support === undefined) return;
    const known = this.found.get(name);
    if (known !== undefined) {
      // The same field of several kinds of messages is one row.
      const values = new Set([...known.values.split(alternative), ...this.#words(schema).split(alternative)]);
      this.found.set(name, { ...known, values: [...values].join(alternative) });
      return;
    }
    const reason = plain['x-reason'];
    this.found.set(name, {
      name,
      support,
      values: this.#words(schema),
      default: plain.default,
      accepts: plain['x-accepts'] ?? [],
      text: [plain.description?.trim(), reason].filter((each) => each !== undefined).join(' '),
    });
  }

  #words(schema: Schema): string {
    const plain = this.#resolve(schema);
    const branches = plain.anyOf ?? plain.oneOf;
    if (branches !== undefined) {
      const words = branches.filter(({ type }) => type !== 'null').map((branch) => this.#words(branch));
      return [...new Set(words)].join(alternative);
    }
    const values = plain.enum ?? (plain.const === undefined ? [] : [plain.const]);
    if (values.length > 0)
      return values
        .filter((value) => value !== null)
        .map((value) => `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``)
        .join(', ');
    return [plain.type ?? 'any']
      .flat()
      .filter((type) => type !== 'null')
      .map((type) => this.#typed(type, plain))
      .join(alternative);
  }

  #typed(type: string, schema: Schema): string {
    switch (type) {
      case 'integer':
      case 'number':
        return `${type}${range(schema)}`;
      case 'string':
        return schema.maxLength === undefined ? 'string' : `string of at most ${schema.maxLength} characters`;
      case 'array': {
        const most = schema.maxItems === undefined ? '' : ` of at most ${schema.maxItems}`;
        return `list${most}: ${schema.items === undefined ? 'anything' : this.#words(schema.items)}`;
      }
      default:
        return schema.title ?? type;
    }
  }

  #resolve(schema: Schema): Schema {
    if (schema.$ref === undefined) return schema;
    const { [schema.$ref.slice(schema.$ref.lastIndexOf('/') + 1)]: target } = this.#schemas;
    return target === undefined ? schema : this.#resolve(target);
  }
}

function range({ minimum, maximum, exclusiveMinimum }: Schema): string {
  if (minimum !== undefined && maximum !== undefined) {
    // The whole range of a 64-bit integer is none to speak of.
    return Math.abs(maximum) > Number.MAX_SAFE_INTEGER ? '' : ` from ${minimum} to ${maximum}`;
  }
  if (minimum !== undefined) return ` of at least ${minimum}`;
  if (exclusiveMinimum !== undefined) return ` above ${exclusiveMinimum}`;
  return maximum === undefined ? '' : ` of at most ${maximum}`;
}
