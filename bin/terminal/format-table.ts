/** Left-aligned columns; columns whose values are all numbers stand to the right. */
export function formatTable(headings: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map(row => row[column]?.length ?? 0)),
  );
  const numeric = headings.map(
    (_, column) => rows.length > 0 && rows.every(row => /^[-$]?[\d.,]+( %)?$/.test(row[column] ?? '')),
  );
  const formatRow = (row: readonly string[]) =>
    row
      .map((cell, column) =>
        numeric[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return [formatRow(headings), formatRow(widths.map(width => '-'.repeat(width))), ...rows.map(formatRow)];
}

/** One line of at most `width` characters, ended by … where something was cut. */
export function shorten(text: string, width: number): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length <= width ? line : `${line.slice(0, width - 1).trimEnd()}…`;
}
