/**
 * Longest slice in UTF-16 units.
 * A byte-pair encoder takes time with the square of a run without spaces: 22 s for 100,000 Chinese
 * characters, but half a millisecond for each slice of this length. Ordinary text has a space
 * within a slice, and then slicing changes no token.
 */
const SLICE_UNITS = 500;

/**
 * Yields the text in slices, to be encoded one by one.
 * A cut lies before a space that follows a letter or digit, where `cl100k_base` always cuts.
 * Without such a space the cut lies between code points, and the count can be off by one token.
 */
export function* sliceText(text: string): Generator<string> {
  let start = 0;
  while (text.length - start > SLICE_UNITS) {
    const end = findCut(text, start, start + SLICE_UNITS);
    yield text.slice(start, end);
    start = end;
  }
  if (start < text.length) yield text.slice(start);
}

function findCut(text: string, start: number, limit: number): number {
  for (let end = limit; end > start; end -= 1) {
    if (text[end] === ' ' && /[\p{L}\p{N}]/u.test(text[end - 1] ?? '')) return end;
  }
  const splitsPair = (text.codePointAt(limit - 1) ?? 0) > 0xffff;
  return splitsPair ? limit - 1 : limit;
}
