import * as z from 'zod';
import type { ConfigProblem } from './describe-issues.ts';
import { word } from './leaf-schemas.ts';

const nameExpectation = 'expected a name of 1 to 63 bytes, as in the database';

/** A name as the database has it. */
export const identifier = word(nameExpectation).refine(
  name => Buffer.byteLength(name) <= 63 && !name.includes('\0'),
  { error: nameExpectation },
);

const columnNames = z
  .array(identifier, { error: 'expected an array of column names' })
  .max(50, { error: 'expected at most 50 columns' })
  .refine(names => new Set(names).size === names.length, { error: 'expected each column once' });

const jsonExpectation = "expected an object such as { key: 'metadata.language', type: 'text' }";

/** A value within a column of JSON by which rows may be filtered: column, dot, key. */
export const jsonFilter = z.strictObject(
  {
    key: z.string({ error: jsonExpectation }).regex(/^[^.\0]{1,63}\.[^\0]{1,200}$/, {
      error: 'expected a column and a key, such as "metadata.language"',
    }),
    type: z.enum(['text', 'number', 'boolean'], { error: 'expected "text", "number" or "boolean"' }),
  },
  { error: jsonExpectation },
);

export type JsonFilter = z.output<typeof jsonFilter>;

const filtersExpectation =
  "expected an array of columns, or of keys such as { key: 'metadata.language', type: 'text' }";

const filters = z
  .array(z.union([identifier, jsonFilter], { error: filtersExpectation }), { error: filtersExpectation })
  .max(50, { error: 'expected at most 50 filters' })
  .refine(names => new Set(names.map(nameFilter)).size === names.length, {
    error: 'expected each filter once',
  });

/** The name by which a filter asks for what the configuration allows. */
function nameFilter(allowed: string | JsonFilter): string {
  return typeof allowed === 'string' ? allowed : allowed.key;
}

const claimsExpectation =
  "expected an object such as { 'app.tenant': 'tenant' }: a setting, and the claim in it";

/** What a search of a source may show, filter by and must be kept to. */
export const searchSection = z.strictObject(
  {
    /** Columns that hits may hold. Undefined: those of the text. */
    columns: columnNames.optional(),
    /** Columns that a filter may name, and keys within columns of JSON. */
    filters: filters.default([]),
    /** The column that says whose a row is. A client sees the rows of its token's tenant alone. */
    tenant: identifier.optional(),
    /** The words of texts, kept beside the vectors for searches by words. Undefined: none. */
    keywords: z
      .strictObject(
        { language: identifier },
        { error: "expected an object such as { language: 'english' }, a text search configuration" },
      )
      .optional(),
    /** The role that searches run as, for tables with row-level security. */
    role: identifier.optional(),
    /** Settings that policies read, each with the path of the token's claim that it gets. */
    claims: z
      .record(
        z.string().regex(/^[a-z_][\w$]{0,62}\.[a-z_][\w$.]{0,62}$/i, { error: claimsExpectation }),
        word(claimsExpectation),
        { error: claimsExpectation },
      )
      .optional(),
  },
  { error: "expected an object such as { columns: ['title'], filters: ['price'], tenant: 'tenant_id' }" },
);

export type SearchSection = z.output<typeof searchSection>;

/** Checks what one key of a source's `search` must know of another. */
export function findSearchProblems(section: SearchSection | undefined, path: string): ConfigProblem[] {
  if (section === undefined) return [];
  const { filters: allowed, tenant, claims, role } = section;
  const problems: ConfigProblem[] = [];
  const report = (key: string, message: string) => problems.push({ path: `${path}.${key}`, message });
  if (tenant !== undefined && allowed.some(each => nameFilter(each).split('.')[0] === tenant))
    report(
      'filters',
      `names "${tenant}", the column of the tenant: the token alone decides it; leave it out`,
    );
  if (claims !== undefined && role === undefined)
    report('claims', 'stands without role; name the role that searches run as');
  return problems;
}
