import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');
const MAX_COLUMNS = 120;

const pages = [
  ...readdirSync(root).filter(file => file.endsWith('.md')),
  ...readdirSync(path.join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter(file => file.endsWith('.md'))
    .map(file => path.posix.join('docs', file)),
];

/** Decisions and the changelog tell of the past: what they name may be gone. */
const tellsOfThePast = (page: string) => page.startsWith('docs/decisions/') || page === 'CHANGELOG.md';

/** Finds lines of prose over the limit. Tables, code and a word that cannot be broken stay. */
function findWideLines(page: string): string[] {
  let isFenced = false;
  return page.split('\n').filter(line => {
    if (/^\s*(```|~~~)/.test(line)) isFenced = !isFenced;
    const isProse = !isFenced && !/^\s*\|/.test(line) && !/^ {4,}\S/.test(line);
    const breakable = line.replaceAll(/`[^`]*`/g, word => word.replaceAll(' ', '·')).trim();
    return (
      isProse && [...line].length > MAX_COLUMNS && /\S\s+\S/.test(breakable.replace(/^([*-]|\d+\.)\s+/, ''))
    );
  });
}

/** Finds the files of this repository that a page names in code marks and that are not there. */
function findMissingFiles(page: string): string[] {
  const named = [...page.matchAll(/`((?:bin|lib|functions|test|bench|examples|docs|\.ci)\/[\w./-]*\w)\/?`/g)];
  return named.map(([, file = '']) => file).filter(file => !existsSync(path.join(root, file)));
}

describe('the pages', () => {
  test('wrap their prose at 120 columns', () => {
    const wide = pages.flatMap(page =>
      findWideLines(readFileSync(path.join(root, page), 'utf8')).map(
        line => `${page}: ${line.slice(0, 60)}…`,
      ),
    );

    expect(wide).toEqual([]);
  });

  test('name only files that are there', () => {
    const missing = pages
      .filter(page => !tellsOfThePast(page))
      .flatMap(page =>
        findMissingFiles(readFileSync(path.join(root, page), 'utf8')).map(file => `${page}: ${file}`),
      );

    expect(missing).toEqual([]);
  });

  test('are read for both as planted examples show', () => {
    const word = 'x'.repeat(MAX_COLUMNS + 1);

    expect(
      findWideLines(`a ${word}\n| ${word} a |\n    a ${word}\n${word}\n\`\`\`\na ${word}\n\`\`\``),
    ).toEqual([`a ${word}`]);
    expect(findMissingFiles('`lib/core/model.ts`, `lib/core/gone.ts`, `test/pages/`')).toEqual([
      'lib/core/gone.ts',
    ]);
  });
});
