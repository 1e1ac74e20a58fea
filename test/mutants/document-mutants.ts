// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the patches quote templates of the source.
import type { Mutant } from './mutant.ts';

const MUTANTS: readonly Omit<Mutant, 'dies'>[] = [
  {
    name: 'text-gone-for-ever',
    removes: 'taking a text again that was deleted before a later model asked for it',
    file: 'lib/adapters/sql/document-store.ts',
    suite: 'test/database/documents.test.ts',
    changes: [['AND s.text_hash = g.text_hash AND NOT (', 'AND false AND NOT (']],
  },
  {
    name: 'search-job-of-any-tenant',
    removes: 'looking who asks for what a search as a job found',
    file: 'lib/pipeline/serve/search-jobs.ts',
    suite: 'test/database/search-jobs.test.ts',
    changes: [['if (job?.owner === ownerOf(caller)) return job;', 'if (job !== undefined) return job;']],
  },
  {
    name: 'search-job-for-any-scope',
    removes: 'the scope of searches, where the address is that of jobs of texts too',
    file: 'lib/adapters/api/search-job-routes.ts',
    suite: 'test/database/search-jobs.test.ts',
    changes: [["        if (identity !== undefined) requireScope(identity, ['search']);\n", '']],
  },
  {
    name: 'job-for-any-scope',
    removes: 'the scope of texts, where the address is that of jobs of searches too',
    file: 'lib/adapters/api/item-routes.ts',
    suite: 'test/database/search-jobs.test.ts',
    changes: [["    if (identity !== undefined) requireScope(identity, ['write']);\n", '']],
  },
  {
    name: 'text-of-any-tenant',
    removes: 'the tenant from the hash by which vectors, verdicts and batches of documents are found',
    file: 'lib/core/documents.ts',
    suite: 'test/database/documents.test.ts',
    changes: [["'freshet-document', '1', tenant, text", "'freshet-document', '1', text"]],
  },
  {
    name: 'job-of-any-tenant',
    removes: 'the tenant from the look-up of a job',
    file: 'lib/adapters/sql/document-store.ts',
    suite: 'test/database/documents.test.ts',
    changes: [['AND s.tenant = ${tenant}', 'AND ${tenant}::text IS NOT NULL']],
  },
  {
    name: 'receipt-of-any-tenant',
    removes: 'the tenant from the look-up of a receipt',
    file: 'lib/adapters/sql/erase-documents.ts',
    suite: 'test/database/documents.test.ts',
    changes: [['WHERE e.tenant = ${tenant} AND', 'WHERE ${tenant}::text IS NOT NULL AND']],
  },
  {
    name: 'erasure-of-any-tenant',
    removes: 'the tenant from what an erasure deletes',
    file: 'lib/adapters/sql/erase-documents.ts',
    suite: 'test/database/documents.test.ts',
    changes: [['${key.tenant} = ${tenant} AND', '${tenant}::text IS NOT NULL AND']],
  },
  {
    name: 'item-of-any-tenant',
    removes: 'the tenant from the statements that write metadata, texts and jobs of an item',
    file: 'lib/adapters/sql/document-store.ts',
    suite: 'test/database/documents.test.ts',
    changes: [['`d.tenant = ${tenant} AND d.asset_id', '`${tenant}::text IS NOT NULL AND d.asset_id']],
  },
  {
    name: 'document-without-tenant',
    removes: 'refusing a token that names no tenant',
    file: 'lib/adapters/api/item-routes.ts',
    suite: 'test/database/documents.test.ts',
    changes: [['identify(req.raw)?.tenant;', "identify(req.raw)?.tenant ?? '';"]],
  },
  {
    name: 'erasure-complete-at-once',
    removes: 'waiting for transactions that are older than an erasure',
    file: 'lib/adapters/sql/erase-documents.ts',
    suite: 'test/postgres/erasing-documents.test.ts',
    changes: [['a.xact_start <= e.erased_at', 'a.xact_start IS NULL']],
  },
  {
    name: 'erasure-without-leases',
    removes: 'waiting for the leases of erased items',
    file: 'lib/adapters/sql/erase-documents.ts',
    suite: 'test/postgres/erasing-documents.test.ts',
    changes: [['AND l.first_seen <= e.erased_at', 'AND l.first_seen IS NULL']],
  },
  {
    name: 'erased-once',
    removes: 'deleting a second time what a late writer brought back',
    file: 'lib/adapters/sql/erase-documents.ts',
    suite: 'test/postgres/erasing-documents.test.ts',
    changes: [
      ['`v.read_at <= ${erasedAt}::timestamptz`', '`v.read_at IS NULL AND ${erasedAt}::text IS NOT NULL`'],
    ],
  },
  {
    name: 'erased-with-what-came-after',
    removes: 'sparing what was given anew after an erasure',
    file: 'lib/adapters/sql/erase-documents.ts',
    suite: 'test/database/documents.test.ts',
    changes: [['`v.read_at <= ${erasedAt}::timestamptz`', '`${erasedAt}::text IS NOT NULL`']],
  },
  {
    name: 'verdict-of-other-items',
    removes: 'keeping a verdict while another item of the tenant has the text',
    file: 'lib/adapters/sql/erase-documents.ts',
    suite: 'test/database/documents.test.ts',
    changes: [
      [
        '`NOT EXISTS (SELECT FROM freshet.documents AS d',
        '`NOT EXISTS (SELECT FROM freshet.documents AS d WHERE false) OR EXISTS (SELECT FROM freshet.documents AS d',
      ],
    ],
  },
  {
    name: 'text-dropped-undelivered',
    removes: 'keeping a text that was not delivered',
    file: 'lib/adapters/sql/document-store.ts',
    suite: 'test/database/documents.test.ts',
    changes: [["AND v.outcome NOT LIKE 'undelivered%'", '']],
  },
  {
    name: 'text-dropped-unknown-space',
    removes: 'keeping texts while a space is not known to the configuration',
    file: 'lib/adapters/sql/document-store.ts',
    suite: 'test/database/documents.test.ts',
    changes: [['ids.size !== spaces.length ||', '']],
  },
  {
    name: 'text-dropped-early',
    removes: 'asking for an outcome of the present text before the text is deleted',
    file: 'lib/adapters/sql/document-store.ts',
    suite: 'test/database/documents.test.ts',
    changes: [
      ["AND v.source_version = s.updated_at AND v.content_hash = decode(s.text_hash, 'hex')\n", '\n'],
    ],
  },
  {
    name: 'gone-text-is-empty',
    removes: 'telling a text that was deleted from one that is empty',
    file: 'lib/pipeline/embed/plan-rows.ts',
    suite: 'test/database/documents.test.ts',
    changes: [
      ['document?.isKept === false', 'document?.contentHash === undefined && document !== undefined'],
    ],
  },
  {
    name: 'gone-text-of-any-hash',
    removes: 'comparing the hash of a deleted text with that of the outcome',
    file: 'lib/pipeline/embed/plan-rows.ts',
    suite: 'test/database/documents.test.ts',
    changes: [['stored?.contentHash === contentHash ? stored.outcome', 'stored !== null ? stored.outcome']],
  },
  {
    name: 'job-of-earlier-text',
    removes: 'asking for an outcome of the present version before a job counts as done',
    file: 'lib/adapters/sql/document-store.ts',
    suite: 'test/database/documents.test.ts',
    changes: [
      [
        '       AND v.source_version = s.updated_at\n      LEFT JOIN freshet.leases',
        '      LEFT JOIN freshet.leases',
      ],
    ],
  },
];

export const DOCUMENT_MUTANTS: readonly Mutant[] = MUTANTS.map(mutant => ({ ...mutant, dies: 'documents' }));
