// Text that arrives in pieces -> whole lines.

/** A longer line is cut here: a process that writes no line ends must not fill our memory. */
const longest = 16 * 1024;

/** Feeds each line of `stream` (without its end, empty ones left out) to `line`; the last one also without an end. */
export function readLines(stream: NodeJS.ReadableStream, line: (text: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (piece: string) => {
    const lines = (rest + piece).split(/\r?\n/);
    rest = lines.pop() ?? '';
    for (; rest.length > longest; rest = rest.slice(longest)) lines.push(rest.slice(0, longest));
    for (const text of lines) if (text !== '') line(text);
  });
  stream.on('end', () => {
    if (rest !== '') line(rest);
  });
}
