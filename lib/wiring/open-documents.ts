import type { SqlDatabase } from '../adapters/sql/database.ts';
import { createDocumentStore } from '../adapters/sql/document-store.ts';
import { suggestNearest } from '../core/config/describe-issues.ts';
import type { PipelineConfig } from '../core/config/pipeline-config.ts';
import { createDocumentService } from '../pipeline/documents/keep-documents.ts';
import type { DocumentService } from '../ports/documents.ts';

interface OpenedDocuments {
  readonly database: SqlDatabase;
  readonly config: PipelineConfig;
}

/** Opens documents over a database; `nudge` makes those look soon who embed the texts. */
export function openDocuments(
  { database, config }: OpenedDocuments,
  { model, filters, keepText }: NonNullable<PipelineConfig['documents']>,
  nudge: () => void | Promise<void>,
): DocumentService {
  return createDocumentService({
    store: createDocumentStore(database, config),
    ...{ models: model, filters, keepsText: keepText, suggest: suggestNearest, nudge },
  });
}

/**
 * Makes what looks after documents: it completes receipts, and deletes texts that are not kept.
 * It never rejects. What fails is told, and tried again by the next look.
 */
export function createDocumentSweep(
  { database, config }: OpenedDocuments,
  failed: (error: unknown) => void,
): () => Promise<void> {
  const store = createDocumentStore(database, config);
  return async () => {
    await store.completeErasures().catch(failed);
    if (config.documents?.keepText === false) await store.dropTexts().catch(failed);
  };
}
