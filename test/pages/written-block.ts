import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { wrapProse } from '../../bench/apparatus/wrap-prose.ts';

const DOCS = path.resolve(import.meta.dirname, '../../docs');

/** A part of a page of `docs/` that a test writes: between two marks, comments of Markdown. */
export function blockOf(mark: string, text: string): string {
  return wrapProse(`<!-- ${mark} -->\n\n${text}\n\n<!-- /${mark} -->`);
}

/** What stands between the marks of a page, the marks included; with `UPDATE_DOCS=1` the block is written there first. */
export function writtenBlock(page: string, mark: string, block: string): string | undefined {
  const file = path.join(DOCS, page);
  const place = new RegExp(`<!-- ${mark} -->\\n[\\s\\S]*?<!-- /${mark} -->`);
  if (process.env.UPDATE_DOCS === '1')
    writeFileSync(
      file,
      readFileSync(file, 'utf8').replace(place, () => block),
    );
  return place.exec(readFileSync(file, 'utf8'))?.[0];
}
