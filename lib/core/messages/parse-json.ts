/**
 * Parses JSON; undefined where the text is not JSON.
 * The parser's own error is swallowed because its message quotes the text.
 */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
