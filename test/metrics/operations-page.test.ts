import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { ALARM_KINDS, type AlarmKindName, describeAlarm } from '../../lib/core/metrics/alarm-kinds.ts';
import { printAwsHelp } from '../support/print-aws-help.ts';

const DOCS = path.join(import.meta.dirname, '../../docs');
const PAGE = path.join(DOCS, 'operations.md');
const HELP = /<!-- help -->\n[\s\S]*?<!-- \/help -->/;

const page = readFileSync(PAGE, 'utf8');
const kinds = Object.keys(ALARM_KINDS) as AlarmKindName[];
const sections = new Map(
  [...page.matchAll(/^### (.+)\n\n([\s\S]*?)(?=^#{1,3} |$(?![\s\S]))/gm)].map(match => [
    match[1]!,
    match[2]!,
  ]),
);

describe('docs/operations.md', () => {
  test('has a section for each kind of alarm, and no other', () => {
    expect([...sections.keys()].sort()).toEqual([...kinds].sort());
  });

  test.each(kinds)('says of %s whether it wakes somebody, how to confirm it and what to type', kind => {
    const section = sections.get(kind) ?? '';

    expect(section.startsWith(`*${ALARM_KINDS[kind].severity}.* `)).toBe(true);
    expect(section).toMatch(/^\* Confirm: /m);
    expect(section).toMatch(/^\* Do: /m);
    expect(section).toMatch(/npm run freshet -- aws |npm run deploy -- |aws [a-z-]+ [a-z-]+ /);
    expect(describeAlarm(kind)).toContain(`docs/operations.md#${kind}`);
  });

  test('links only to pages and sections that are there', () => {
    for (const [, target] of page.matchAll(/\]\(([^)]+)\)/g)) {
      const [file, anchor] = target!.split('#');
      if (file !== '') expect(() => readFileSync(path.join(DOCS, file!))).not.toThrow();
      else expect([...sections.keys()]).toContain(anchor);
    }
  });

  test('prints the help of the commands as they print it', async () => {
    const block = `<!-- help -->\n\n${await printAwsHelp()}\n\n<!-- /help -->`;
    if (process.env.UPDATE_DOCS === '1')
      writeFileSync(
        PAGE,
        page.replace(HELP, () => block),
      );

    const written = HELP.exec(readFileSync(PAGE, 'utf8'))?.[0];
    expect(written, 'the help is out of date: npm run docs:dashboard writes it anew').toBe(block);
  });
});
