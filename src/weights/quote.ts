// Text from a file nobody vouches for, made fit for an error message or a terminal.

/** In quotation marks, at most `length` characters, control characters (terminal sequences) escaped. */
export function quote(text: string, length = 80): string {
  const short = text.length > length ? `${text.slice(0, length)}…` : text;
  const escape = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return JSON.stringify(short).replace(/[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, escape);
}

/** As `quote`, without the quotation marks. */
export function printable(text: string, length = 80): string {
  return quote(text, length).slice(1, -1).replaceAll('\\"', '"').replaceAll('\\\\', '\\');
}
