/** Columns of a page's prose. Tables, code and headings keep their lines. */
const PROSE_COLUMNS = 120;

const LIST_MARK = /^(\s*)([*+-] |\d+[.)] )?(.*)$/;
const KEEPS_ITS_LINE = /^\s*([|#<>]|$)/;
/** Words that would begin a list, a heading or a table where a line begins with them. */
const BEGINS_A_BLOCK = /^([*+-]|\d+[.)]|[|#>].*)$/;

/**
 * Wraps the prose of a page of Markdown at 120 columns.
 *
 * Only paragraphs and list items with a wider line are laid out anew. A code span is never broken,
 * because commands are copied from it.
 */
export function wrapProse(page: string): string {
  const lines = page.split('\n');
  const wrapped: string[] = [];
  let isFenced = false;
  for (let at = 0; at < lines.length; ) {
    const line = lines[at]!;
    if (/^\s*(```|~~~)/.test(line)) isFenced = !isFenced;
    const isCode = isFenced || /^ {4}/.test(line);
    if (isCode || KEEPS_ITS_LINE.test(line) || /^\s*(```|~~~)/.test(line)) {
      wrapped.push(line);
      at += 1;
      continue;
    }
    let end = at + 1;
    while (end < lines.length && continues(lines[end]!)) end += 1;
    const paragraph = lines.slice(at, end);
    wrapped.push(...(paragraph.some(isWide) ? layOut(paragraph) : paragraph));
    at = end;
  }
  return wrapped.join('\n');
}

const isWide = (line: string) => [...line].length > PROSE_COLUMNS;

const continues = (line: string) => !KEEPS_ITS_LINE.test(line) && !/^\s*(```|~~~|[*+-] |\d+[.)] )/.test(line);

function layOut([first = '', ...others]: readonly string[]): string[] {
  const [, indent = '', mark = '', body = ''] = LIST_MARK.exec(first) ?? [];
  const text = [body, ...others.map(line => line.trim())].join(' ');
  const words = text.match(/(?:`[^`]*`|[^\s`])+/g) ?? [];
  const laidOut: string[] = [];
  let line = indent + mark;
  let isEmpty = true;
  for (const word of words) {
    if (!isEmpty && isWide(`${line} ${word}`) && !BEGINS_A_BLOCK.test(word)) {
      laidOut.push(line);
      line = indent + ' '.repeat(mark.length) + word;
    } else line = isEmpty ? line + word : `${line} ${word}`;
    isEmpty = false;
  }
  return [...laidOut, line];
}
