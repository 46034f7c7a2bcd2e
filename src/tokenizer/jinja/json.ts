// `tojson` as transformers sets it up: Python's json.dumps(ensure_ascii=False), not Jinja's HTML-safe filter.

import {
  Float,
  Markup,
  TemplateFailure,
  Tuple,
  bounded,
  compareText,
  floatText,
  integerText,
  text,
  typeName,
} from './values.ts';
import type { Key, Value } from './values.ts';

export interface JsonStyle {
  /** Text of one level; `undefined` is all on one line. */
  readonly indent: string | undefined;
  readonly itemSeparator: string;
  readonly keySeparator: string;
  readonly sortsKeys: boolean;
  readonly asciiOnly: boolean;
}

export function toJson(value: Value, style: JsonStyle, depth = 0): string {
  if (depth > 256) throw new TemplateFailure('maximum recursion depth exceeded while encoding a JSON object');
  if (value === null) return 'null';
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  if (typeof value === 'number') return integerText(value);
  if (value instanceof Float) return floatText(value.value).replace('inf', 'Infinity').replace('nan', 'NaN');
  if (typeof value === 'string' || value instanceof Markup) return jsonString(text(value), style);
  if (Array.isArray(value) || value instanceof Tuple) {
    const items = Array.isArray(value) ? value : value.items;
    return enclosed(
      '[',
      items.map((item) => toJson(item, style, depth + 1)),
      ']',
      style,
      depth,
    );
  }
  if (value instanceof Map) {
    const entries = [...value].map(([key, item]) => [jsonKey(key), item] as const);
    if (style.sortsKeys) entries.sort(([a], [b]) => compareText(a, b));
    const items = entries.map(
      ([key, item]) => jsonString(key, style) + style.keySeparator + toJson(item, style, depth + 1),
    );
    return enclosed('{', items, '}', style, depth);
  }
  throw new TemplateFailure(`Object of type ${typeName(value)} is not JSON serializable`);
}

function enclosed(open: string, items: readonly string[], close: string, style: JsonStyle, depth: number): string {
  if (items.length === 0) return open + close;
  if (style.indent === undefined) return bounded(open + items.join(style.itemSeparator) + close);
  const outer = `\n${style.indent.repeat(depth)}`;
  const inner = outer + style.indent;
  return bounded(open + inner + items.join(style.itemSeparator + inner) + outer + close);
}

function jsonKey(key: Key): string {
  if (typeof key === 'string') return key;
  return key === null
    ? 'null'
    : typeof key === 'boolean'
      ? String(key)
      : Number.isInteger(key)
        ? integerText(key)
        : floatText(key);
}

function jsonString(value: string, style: JsonStyle): string {
  const quoted = JSON.stringify(value);
  if (!style.asciiOnly) return quoted;
  return quoted.replaceAll(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
