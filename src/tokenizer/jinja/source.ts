// White space around tags, as Jinja sets it with trim_blocks and lstrip_blocks on (transformers does): done here in one pass, since
// the package that reads the rest knows neither `{%+` nor `raw` and takes time quadratic in runs of white space. Also turns the
// `generation` tags of transformers into comments: they only render what they enclose.

/** How a tag begins and ends: `-` eats all white space on that side, `+` none, nothing follows the two options. */
interface Tag {
  readonly kind: 'expression' | 'block' | 'comment';
  readonly left: string;
  readonly body: string;
  readonly right: string;
  /** Offset after the tag. */
  readonly end: number;
}

const openings = { '{{': 'expression', '{%': 'block', '{#': 'comment' } as const;
const closings = { expression: '}}', block: '%}', comment: '#}' } as const;

/** Source that means the same without the two options, without `+`, `raw` and `generation`. */
export function resolveSource(source: string): string {
  const text = source.replaceAll(/\r\n?/g, '\n');
  let resolved = '';
  /** Where the text since the last tag begins, and whether that is the beginning of a line. */
  let start = 0;
  let opensLine = true;
  for (;;) {
    const at = nextOpening(text, start);
    if (at === undefined) return resolved + text.slice(start);
    const tag = readTag(text, at);
    const isBlock = tag.kind !== 'expression';
    resolved += isBlock && tag.left === '' ? withoutIndent(text.slice(start, at), opensLine) : text.slice(start, at);
    const raw = tag.kind === 'block' && tag.body.trim() === 'raw' ? readRaw(text, tag.end) : undefined;
    const last = raw?.closing ?? tag;
    resolved += raw === undefined ? writeTag(tag) : writeRaw(tag, raw.content, raw.closing);
    start = last.end;
    opensLine = last.kind !== 'expression' && last.right === '' && text[start] === '\n';
    if (opensLine) start++;
  }
}

function nextOpening(text: string, from: number): number | undefined {
  for (let at = text.indexOf('{', from); at >= 0; at = text.indexOf('{', at + 1)) {
    if (Object.hasOwn(openings, text.slice(at, at + 2))) return at;
  }
  return undefined;
}

function readTag(text: string, at: number): Tag {
  const kind = openings[text.slice(at, at + 2) as keyof typeof openings];
  const closing = closings[kind];
  const end = kind === 'comment' ? text.indexOf(closing, at + 2) : closingOf(text, at + 2, closing);
  if (end < 0) throw new SyntaxError(`the template ends inside ${text.slice(at, at + 20)}`);
  const inner = text.slice(at + 2, end);
  const left = /^[-+]/.exec(inner)?.[0] ?? '';
  const right = inner.length > left.length ? (/[-+]$/.exec(inner)?.[0] ?? '') : '';
  return { kind, left, right, body: inner.slice(left.length, inner.length - right.length), end: end + 2 };
}

/** The closing that stands in no string and, for expressions, in no braces. */
function closingOf(text: string, from: number, closing: string): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    const character = text[at];
    if (depth === 0 && character === closing[0] && text[at + 1] === closing[1]) return at;
    if (character === "'" || character === '"') {
      for (at++; at < text.length && text[at] !== character; at++) if (text[at] === '\\') at++;
    } else if (character === '{') depth++;
    else if (character === '}' && depth > 0) depth--;
  }
  return -1;
}

/** White space between the beginning of a line and a block goes. */
function withoutIndent(text: string, opensLine: boolean): string {
  const line = text.lastIndexOf('\n') + 1;
  if (line === 0 && !opensLine) return text;
  return text.slice(line).trim() === '' ? text.slice(0, line) : text;
}

function writeTag(tag: Tag): string {
  const [left, right] = [tag.left === '-' ? '-' : '', tag.right === '-' ? '-' : ''];
  if (tag.kind === 'expression') return `{{${left}${spaced(tag.body)}${right}}}`;
  if (tag.kind === 'comment' || /^\s*(?:end)?generation\s*$/.test(tag.body)) return `{#${left} ${right}#}`;
  return `{%${left}${spaced(tag.body)}${right}%}`;
}

/** A space keeps a body's own signs away from the tag's. */
function spaced(body: string): string {
  return ` ${body} `;
}

function readRaw(text: string, from: number): { readonly content: string; readonly closing: Tag } {
  const match = /\{%[-+]?\s*endraw\s*[-+]?%\}/.exec(text.slice(from));
  if (match === null) throw new SyntaxError('the template ends inside a raw block');
  const at = from + match.index;
  return { content: text.slice(from, at), closing: readTag(text, at) };
}

/** Raw text becomes a printed string. */
function writeRaw(opening: Tag, content: string, closing: Tag): string {
  let text = opening.right === '-' ? content.trimStart() : content;
  if (closing.left === '-') text = text.trimEnd();
  else if (closing.left === '') text = withoutIndent(text, false);
  const quoted = text
    .replaceAll('\\', '\\\\')
    .replaceAll('"', String.raw`\"`)
    .replaceAll('\n', String.raw`\n`);
  return `{{${opening.left === '-' ? '-' : ''} "${quoted}" ${closing.right === '-' ? '-' : ''}}}`;
}
