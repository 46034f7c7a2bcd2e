// Request schemas -> field plans: which fields of a body are known, and what is done with each (core/operation.ts says what a server does
// with a plan). Free-form values (metadata, JSON schemas, template variables) have no plan: nothing in them counts as unknown.

import type { Document, Schema } from './schema.ts';
import { referredName, resolve, SpecError } from './schema.ts';
import { unionOf } from './unions.ts';

/** Source text of plans. Shared schemas become constants, so that a plan is as small as the spec. */
export class FieldPlans {
  readonly #document: Document;
  readonly #names = new Map<string, string | undefined>();
  readonly #constants: string[] = [];

  constructor(document: Document) {
    this.#document = document;
  }

  /** The plan of a schema as an expression; `undefined` for a free-form or scalar one. */
  plan(schema: Schema, place: string): string | undefined {
    const name = referredName(schema);
    if (name !== undefined) return this.#shared(name);
    if (schema['x-support'] === 'refused')
      return `{ kind: 'refused', reason: ${JSON.stringify(reasonOf(schema, place))} }`;
    const union = unionOf(schema, this.#document);
    if (union?.kind === 'tagged') {
      const branches = union.branches.flatMap(({ values, schema: branch }) => {
        const plan = this.plan(branch, place);
        return plan === undefined ? [] : values.map((value) => `${JSON.stringify(value)}: ${plan}`);
      });
      const rest = union.otherwise ?? union.untagged;
      const otherwise = rest === undefined ? undefined : this.plan(rest, place);
      const tail = otherwise === undefined ? '' : `, otherwise: ${otherwise}`;
      return `{ kind: 'tagged', tag: ${JSON.stringify(union.tag)}, branches: { ${branches.join(', ')} }${tail} }`;
    }
    if (union?.kind === 'typed') {
      const plans = union.branches.flatMap(({ schema: branch }) => this.plan(branch, place) ?? []);
      if (plans.length === 0) return undefined;
      return union.branches.length === 1 ? plans[0] : `{ kind: 'either', plans: [${plans.join(', ')}] }`;
    }
    if (schema.items !== undefined) {
      const items = this.plan(schema.items, `${place}[]`);
      return items === undefined ? undefined : `{ kind: 'array', items: ${items} }`;
    }
    return schema.properties === undefined ? undefined : this.#object(schema, place);
  }

  /** Declarations that the plans refer to, in order. */
  constants(): string {
    return this.#constants.join('\n');
  }

  #shared(name: string): string | undefined {
    if (!this.#names.has(name)) {
      // A schema that contains itself finds no plan of its own here: its inner values count as free-form.
      this.#names.set(name, undefined);
      const plan = this.plan(resolve(this.#document.components.schemas[name], this.#document), name);
      if (plan === undefined) return undefined;
      const constant = `${name[0].toLowerCase()}${name.slice(1)}Fields`;
      this.#constants.push(`const ${constant}: FieldPlan = ${plan};`);
      this.#names.set(name, constant);
    }
    return this.#names.get(name);
  }

  #object(schema: Schema, place: string): string {
    if (schema.additionalProperties !== undefined) {
      throw new SpecError(place, 'lists properties and takes others too: whether a key is unknown cannot be said');
    }
    const fields = Object.entries(schema.properties ?? {}).map(([key, property]) => {
      return `${JSON.stringify(key)}: ${this.#field(property, `${place}.${key}`)}`;
    });
    return `{ kind: 'object', fields: { ${fields.join(', ')} } }`;
  }

  #field(property: Schema, place: string): string {
    const { 'x-support': support, ...schema } = property;
    if (support === undefined) throw new SpecError(place, 'has no x-support (honoured, echoed or refused)');
    if (support !== 'refused') {
      const inner = this.plan(schema, place);
      return `{ support: '${support}'${inner === undefined ? '' : `, inner: ${inner}`} }`;
    }
    const accepts = [...(property.default === undefined ? [] : [property.default]), ...(property['x-accepts'] ?? [])];
    const reason = JSON.stringify(reasonOf(property, place));
    return `{ support: 'refused', accepts: ${JSON.stringify(accepts)}, reason: ${reason} }`;
  }
}

function reasonOf(schema: Schema, place: string): string {
  const reason = schema['x-reason'];
  if (reason === undefined) throw new SpecError(place, 'is refused without an x-reason: say what to do instead');
  return reason;
}
