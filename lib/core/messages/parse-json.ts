/** Undefined for what is no JSON. Never throws: the parser's own message quotes what it was given. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
