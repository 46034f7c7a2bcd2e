// spec/*.yaml -> build/spec/openapi.json and the generated room: types and routes as TypeScript in src/generated, validators, serializers
// and the document as JavaScript in build/src/generated, with their declarations beside the TypeScript.

import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle } from './bundle.ts';
import { functionsOf, operationsCode } from './operations.ts';
import { readFiles, readSpec } from './read.ts';
import type { Document } from './schema.ts';
import { serializerCode, serializerTypes } from './serializers.ts';
import { typesCode } from './types.ts';
import { validatorCode, validatorTypes } from './validators.ts';

/** This file runs as build/spec/generate/main.js. */
const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, '../../..');

/** Everything that is written, by path below the root. */
function generate(document: Document): Record<string, string> {
  const { validators, serializers } = functionsOf(document);
  const json = JSON.stringify(document, null, 2);
  return {
    'build/spec/openapi.json': `${json}\n`,
    'src/generated/types.ts': heading + typesCode(document),
    'src/generated/operations.ts': heading + operationsCode(document),
    'src/generated/validators.d.ts': heading + validatorTypes(Object.keys(validators)),
    'build/src/generated/validators.js': heading + validatorCode(validators, document),
    'src/generated/serializers.d.ts': heading + serializerTypes(Object.keys(serializers)),
    'build/src/generated/serializers.js': heading + serializerCode(serializers, document),
    'src/generated/document.d.ts': `${heading}export declare const document: Readonly<Record<string, unknown>>;\n`,
    'build/src/generated/document.js': `${heading}export const document = ${json};\n`,
  };
}

const heading = '// Written by spec/generate from spec/. Not to be edited.\n\n';

const source = readSpec(readFiles(join(root, 'spec')));
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
source.info.version = version;
for (const [path, text] of Object.entries(generate(bundle(source)))) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}
// What the validators need at run time.
copyFileSync(join(here, 'violation.js'), join(root, 'build/src/generated/violation.js'));
