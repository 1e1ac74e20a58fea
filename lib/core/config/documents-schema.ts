import * as z from 'zod';
import { DOCUMENT_COLUMNS, DOCUMENTS_SOURCE, DOCUMENTS_TABLE } from '../documents.ts';
import type { ConfigProblem } from './describe-issues.ts';
import { flag, word } from './leaf-schemas.ts';
import { jsonFilter, searchSection } from './search-schema.ts';

const aliasesExpectation = 'expected the alias of a model, or several of them in an array';

/** What becomes of the texts that clients give to the service. */
export const documentsSection = z.strictObject(
  {
    model: z.union(
      [
        word(aliasesExpectation).transform(alias => [alias]),
        z.array(word(aliasesExpectation)).min(1, { error: aliasesExpectation }),
      ],
      { error: aliasesExpectation },
    ),
    /** False: a text is deleted once every space has its outcome. */
    keepText: flag.default(true),
    /** Keys of the metadata that a filter may name, each with its type. */
    filters: z
      .array(jsonFilter, { error: "expected an array such as [{ key: 'metadata.language', type: 'text' }]" })
      .default([]),
    overLimit: z.enum(['truncate', 'skip'], { error: 'expected "truncate" or "skip"' }).default('truncate'),
  },
  { error: "expected an object such as { model: 'static', keepText: false }" },
);

export type DocumentsSection = z.output<typeof documentsSection>;

/** Checks what one key of the section must know of another, and of the sources. */
export function findDocumentsProblems(
  section: DocumentsSection | undefined,
  sourceNames: readonly string[],
): ConfigProblem[] {
  if (section === undefined) return [];
  const problems: ConfigProblem[] = [];
  const taken = sourceNames.indexOf(DOCUMENTS_SOURCE);
  if (taken >= 0)
    problems.push({
      path: `sources[${taken}].name`,
      message: `"${DOCUMENTS_SOURCE}" is the source of the section documents; give this one another name`,
    });
  for (const [place, { key }] of section.filters.entries())
    if (!key.startsWith('metadata.'))
      problems.push({
        path: `documents.filters[${place}].key`,
        message: 'expected a key of the metadata, such as "metadata.language"',
      });
  return problems;
}

/** Makes the source of the documents, which the pipeline reads as it reads any other. */
export function toDocumentsSource({ model, keepText, filters, overLimit }: DocumentsSection) {
  const { text, hash } = DOCUMENT_COLUMNS;
  return {
    name: DOCUMENTS_SOURCE,
    table: DOCUMENTS_TABLE,
    updatedAt: 'updated_at',
    text: { columns: [text, hash], template: `{${text}}` },
    models: model,
    overLimit,
    search: searchSection.parse({
      columns: ['asset_id', 'segment_id', 'metadata', ...(keepText ? [text] : [])],
      filters: ['asset_id', 'segment_id', ...filters],
      tenant: 'tenant',
    }),
  };
}
