import type { ResolvedSource } from '../model/space.ts';

/**
 * Prepares the text of a row that is fingerprinted and embedded.
 * The source's template places the columns; without a template the non-empty columns are joined
 * with newlines. The text is well-formed UTF-16 without NUL, because strict servers refuse a whole
 * batch for either fault, and it is trimmed. The text is empty when every column that takes part is
 * blank, whatever else the template says. `columns` has the order of `source.textColumns`.
 */
export function prepareText(
  columns: readonly (string | null)[],
  source: Pick<ResolvedSource, 'textColumns' | 'template'>,
): string {
  const cleaned = columns.map(column => (column === null ? '' : clean(column)));
  if (source.template === undefined) return cleaned.filter(column => column !== '').join('\n');
  return fillTemplate(source.template, source.textColumns, cleaned);
}

/**
 * Fills the template in one pass.
 * A value that looks like a placeholder therefore stays as it is. A placeholder that names no
 * column stays as written.
 */
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
