import { readFileSync } from 'node:fs';
import path from 'node:path';

const ROOT = path.resolve(import.meta.dirname, '..');
const STATIC = String.raw`^\s*(?:import|export)\b(?!\s+type\b)[^;'"]*?\bfrom\s*['"](\.[^'"]+)['"]`;
const DYNAMIC = String.raw`\bimport\(\s*['"](\.[^'"]+)['"]`;

/**
 * Reads every source file that runs where `entry` is loaded, by its path in the repository.
 *
 * Those are the entry and what it imports, except for imports of types alone.
 */
export function importClosure(entry: string): ReadonlyMap<string, string> {
  return closureOf(entry, new RegExp(`${STATIC}|${DYNAMIC}`, 'gm'));
}

/** As `importClosure`, without what is imported when it is needed. */
export function staticClosure(entry: string): ReadonlyMap<string, string> {
  return closureOf(entry, new RegExp(STATIC, 'gm'));
}

function closureOf(entry: string, imports: RegExp): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  const waiting = [entry];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (texts.has(file)) continue;
    const text = readFileSync(path.join(ROOT, file), 'utf8');
    texts.set(file, text);
    for (const match of text.matchAll(imports))
      waiting.push(path.posix.join(path.posix.dirname(file), match[1] ?? match[2]!));
  }
  return texts;
}
