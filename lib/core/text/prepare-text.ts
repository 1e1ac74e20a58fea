import type { ResolvedSource } from '../model/space.ts';

/**
 * The text that is fingerprinted and embedded: the source's columns by its template, or the non-empty ones joined with newlines.
 * Well-formed UTF-16 without NUL (strict servers refuse the whole batch for either) and trimmed. Empty when every column that
 * takes part is blank, whatever else the template says. `columns` has the order of `source.textColumns`.
 */
export function prepareText(
  columns: readonly (string | null)[],
  source: Pick<ResolvedSource, 'textColumns' | 'template'>,
): string {
  const cleaned = columns.map(column => (column === null ? '' : clean(column)));
  if (source.template === undefined) return cleaned.filter(column => column !== '').join('\n');
  return fillTemplate(source.template, source.textColumns, cleaned);
}

/** One pass, so that a value that looks like a placeholder stays what it is. A name that is no column stays as written. */
function fillTemplate(
  template: string,
  textColumns: ResolvedSource['textColumns'],
  values: readonly string[],
): string {
  let hasContent = false;
  const filled = template.replace(/\{([^{}]+)\}/g, (placeholder, name: string) => {
    const position = textColumns.findIndex(column => column.name === name);
    if (position < 0) return placeholder;
    const value = values[position] ?? '';
    hasContent ||= value !== '';
    return value;
  });
  return hasContent ? clean(filled) : '';
}

function clean(text: string): string {
  return text.toWellFormed().replaceAll('\0', '').trim();
}
