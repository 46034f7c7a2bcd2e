// The API documents that others have published, from the fixtures, with their schemas ready to validate values.

import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { Test } from 'tap';
import { Samples, type AnySchema } from '../../spec/generate/samples.ts';
import { fixture } from './fixtures.ts';

export interface Published {
  readonly schemas: Readonly<Record<string, AnySchema>>;
  readonly samples: Samples;
  /** What is wrong with a value as this schema of the document has it; empty: nothing. */
  problems(schema: string, value: unknown): readonly string[];
}

/** `undefined`, and the test skipped, without fixtures. */
export function readPublished(t: Test, name: string): Published | undefined {
  const file = fixture(t, `openapi/${name}.json`);
  if (file === undefined) return undefined;
  const { components } = modern(JSON.parse(readFileSync(file, 'utf8'))) as {
    readonly components: { readonly schemas: Readonly<Record<string, AnySchema>> };
  };
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
  ajv.addSchema({ $id: '/doc', components });
  return {
    schemas: components.schemas,
    samples: new Samples(components.schemas),
    problems(schema, value) {
      const validate = ajv.getSchema(`/doc#/components/schemas/${schema}`);
      if (validate === undefined) throw new Error(`no schema ${schema} in ${name}`);
      if (validate(value) === true) return [];
      return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message ?? ''}`);
    },
  };
}

/** OpenAPI 3.0's `nullable` as JSON Schema says it; discriminators are hints and go. */
function modern(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(modern);
  if (typeof value !== 'object' || value === null) return value;
  const { nullable, discriminator: _, ...rest } = value as Record<string, unknown>;
  const schema = Object.fromEntries(Object.entries(rest).map(([key, inner]) => [key, modern(inner)]));
  return nullable === true ? { anyOf: [schema, { type: 'null' }] } : schema;
}
