// Component schemas -> TypeScript. Data is readonly; an optional property of a request may be null, as bundle.ts has written into its schema.

import type { Document, JsonType, Schema } from './schema.ts';
import { referredName } from './schema.ts';

/** One exported type per component schema, in the order of the document. */
export function typesCode(document: Document): string {
  return Object.entries(document.components.schemas)
    .map(([name, schema]) => declaration(name, schema))
    .join('\n');
}

function declaration(name: string, schema: Schema): string {
  const comment = docComment(notes(schema), '');
  if (schema.properties !== undefined && schema.type === 'object' && schema.additionalProperties === undefined) {
    return `${comment}export interface ${name} ${objectType(schema, '')}\n`;
  }
  return `${comment}export type ${name} = ${typeText(schema)};\n`;
}

/** The type of a schema as an expression. */
export function typeText(schema: Schema, indent = ''): string {
  const name = referredName(schema);
  if (name !== undefined) return name;
  const branches = schema.anyOf ?? schema.oneOf;
  if (branches !== undefined) return union(branches.map((branch) => typeText(branch, indent)));
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return union(schema.enum.map((value) => JSON.stringify(value)));
  if (schema.type === undefined) return 'unknown';
  return union([schema.type].flat().map((type) => simpleType(schema, type, indent)));
}

function simpleType(schema: Schema, type: JsonType, indent: string): string {
  if (type === 'object') return objectType(schema, indent);
  if (type === 'integer') return 'number';
  if (type !== 'array') return type;
  const items = schema.items === undefined ? 'unknown' : typeText(schema.items, indent);
  return `readonly ${/^\w+$/.test(items) ? items : `(${items})`}[]`;
}

function objectType({ properties, required, additionalProperties }: Schema, indent: string): string {
  const values = typeof additionalProperties === 'object' ? typeText(additionalProperties, indent) : 'unknown';
  const record = `Readonly<Record<string, ${values}>>`;
  if (properties === undefined) return record;
  const inner = `${indent}  `;
  const lines = Object.entries(properties).map(([key, property]) => {
    const optional = required?.includes(key) === true ? '' : '?';
    const undefinable = optional === '' ? '' : ' | undefined';
    const spelled = /^[A-Za-z_$][\w$]*$/.test(key) ? key : JSON.stringify(key);
    return `${docComment(notes(property), inner)}${inner}readonly ${spelled}${optional}: ${typeText(property, inner)}${undefinable};\n`;
  });
  const shape = `{\n${lines.join('')}${indent}}`;
  return additionalProperties === undefined || additionalProperties === false ? shape : `${shape} & ${record}`;
}

/** `null` last, nothing twice. */
function union(types: readonly string[]): string {
  const distinct = [...new Set(types.flatMap((type) => (type.includes('{') ? [type] : type.split(' | '))))];
  return [...distinct.filter((type) => type !== 'null'), ...(distinct.includes('null') ? ['null'] : [])].join(' | ');
}

function notes(schema: Schema): string[] {
  const lines = schema.description?.trimEnd().split('\n') ?? [];
  if (schema['x-support'] === 'refused') lines.push(`Refused: ${schema['x-reason'] ?? ''}`);
  if (schema['x-support'] === 'echoed') lines.push('Without effect on the result.');
  if (schema.default !== undefined) lines.push(`Default: ${JSON.stringify(schema.default)}.`);
  if (schema.deprecated === true) lines.push('@deprecated');
  return lines.map((line) => line.replaceAll('*/', '*\\/').trimEnd());
}

function docComment(lines: readonly string[], indent: string): string {
  if (lines.length === 0) return '';
  if (lines.length === 1) return `${indent}/** ${lines[0]} */\n`;
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line}\n`).join('')}${indent} */\n`;
}
