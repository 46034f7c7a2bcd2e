// Numbers for people: one table, one way of rounding.

export type Cell = string | number | undefined;

/** Columns of text are aligned at the left, of numbers at the right. `undefined` is a dash. */
export function formatTable(header: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const cells = [header, ...rows.map((row) => row.map(formatCell))];
  const columns = header.map((_, column) => ({
    width: Math.max(...cells.map((row) => (row[column] ?? '').length)),
    isText: rows.some((row) => typeof row[column] === 'string'),
  }));
  const line = (row: readonly string[]): string =>
    columns
      .map(({ width, isText }, column) => (row[column] ?? '')[isText ? 'padEnd' : 'padStart'](width))
      .join('  ')
      .trimEnd();
  return cells.map((row) => `${line(row)}\n`).join('');
}

/** Names and values below each other. */
export function formatFacts(facts: Readonly<Record<string, Cell>>): string {
  const width = Math.max(...Object.keys(facts).map(({ length }) => length));
  return Object.entries(facts)
    .map(([name, value]) => `${name.padEnd(width)}  ${formatCell(value)}\n`)
    .join('');
}

function formatCell(cell: Cell): string {
  if (cell === undefined) return '–';
  return typeof cell === 'string' ? cell : formatNumber(cell);
}

/** Three digits say all that measurements can: 1234, 123, 12.3, 1.23. Whole numbers stay as they are. */
export function formatNumber(value: number): string {
  if (Number.isInteger(value)) return String(value);
  return value.toFixed(Math.max(0, 2 - Math.max(0, Math.floor(Math.log10(Math.abs(value))))));
}

/** For JSON: as many digits as mean something. */
export function rounded(value: number): number;
export function rounded(value: number | undefined): number | undefined;
export function rounded(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Number(value.toPrecision(5));
}
