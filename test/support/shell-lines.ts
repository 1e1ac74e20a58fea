export interface ShellLine {
  /** Counted from 1, in its page. */
  readonly place: string;
  /** One command without its comment, its prompt and what it is piped into. */
  readonly command: string;
}

const FENCE = /^\s*(```|~~~)/;
const SHELLS = /^\s*(```|~~~)(sh|bash|shell|console)?\s*$/;
const INDENTED = /^(?: {4,}|\t)(.*)$/;
const TOOL = /^(?:[A-Z_]+=\S+ )*(npm|npx|node|freshet|cdk) /;
const INLINE = /`((?:[A-Z_]+=\S+ )*(?:npm run|npx) [^`]+)`/g;

/** What a command printed, which another test compares with what it prints. */
const PRINTED = /<!-- help -->[\s\S]*?<!-- \/help -->/g;

/** What a page asks its reader to type: lines of its shell blocks, and commands of `npm` and `npx` within a sentence. */
export function shellLinesOf(page: string, text: string): ShellLine[] {
  const found: ShellLine[] = [];
  let fence: 'none' | 'shell' | 'other' = 'none';
  const typed = text.replace(PRINTED, printed => printed.replace(/[^\n]/g, ''));
  typed.split('\n').forEach((line, index) => {
    const place = `${page}:${index + 1}`;
    if (FENCE.test(line)) {
      fence = fence === 'none' ? (SHELLS.test(line) ? 'shell' : 'other') : 'none';
      return;
    }
    const block = fence === 'shell' ? line : fence === 'none' ? INDENTED.exec(line)?.[1] : undefined;
    const commands =
      block === undefined
        ? fence === 'other'
          ? []
          : [...line.matchAll(INLINE)].map(([, command]) => command!)
        : splitLine(block).filter(command => TOOL.test(`${command} `));
    found.push(...commands.map(command => ({ place, command: stripComment(command) })));
  });
  return found;
}

function splitLine(line: string): string[] {
  return stripComment(line.trim().replace(/^\$ /, ''))
    .split(/\s+(?:&&|\|\|?|;)\s+/)
    .map(command => command.trim());
}

/** Of a comment, and of the ellipsis where a sentence leaves the rest to the reader. */
function stripComment(line: string): string {
  return line.replace(/\s+#\s.*$/, '').trim();
}

/** The words that a shell would pass on. Throws at a quote that is not closed. */
export function wordsOf(command: string): string[] {
  const words = [...command.matchAll(/"([^"]*)"|'([^']*)'|([^\s"']+)/g)].map(
    ([, double, single, bare]) => double ?? single ?? bare!,
  );
  if ((command.replace(/"[^"]*"|'[^']*'/g, '').match(/["']/g) ?? []).length > 0)
    throw new Error(`a quote is not closed: ${command}`);
  return words;
}
