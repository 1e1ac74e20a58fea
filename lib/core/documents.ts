import { hashFields } from './text.ts';

/** The name of the source whose rows are the texts that the service is given. */
export const DOCUMENTS_SOURCE = 'documents';

/** The table of that source; no application writes it. */
export const DOCUMENTS_TABLE = { schema: 'freshet', name: 'documents' } as const;

/**
 * The columns of that source that are read together with the text.
 * The hash is read with the text, so that an outcome is known as that of the text even where the
 * text is gone.
 */
export const DOCUMENT_COLUMNS = { text: 'text', hash: 'text_hash' } as const;

/** Days for which a deployed pipeline keeps its result objects, which hold vectors. */
export const RESULT_DAYS = 15;

/** Whether a column is the text of a document, which lies in a table of its own. */
export function isDocumentText(
  { schema, name }: { readonly schema: string; readonly name: string },
  column: string,
): boolean {
  return (
    schema === DOCUMENTS_TABLE.schema && name === DOCUMENTS_TABLE.name && column === DOCUMENT_COLUMNS.text
  );
}

/**
 * The content hash of a document's text: SHA-256 in hexadecimal, over tenant and text.
 * Vectors, verdicts and batches are found by it. Equal texts of two tenants are therefore two
 * texts: no tenant is given another one's vector, nor can it tell by the time or the price that
 * somebody else has the text.
 */
export function fingerprintDocument(tenant: string, text: string): string {
  return hashFields(['freshet-document', '1', tenant, text]);
}

/** What a job is of. */
interface JobKey {
  readonly tenant: string;
  readonly assetId: string;
  readonly segmentId: string;
  readonly textHash: string;
  readonly model: string;
}

/** The id of a job, which the same submission always has. */
export function nameJob({ tenant, assetId, segmentId, textHash, model }: JobKey): string {
  const digest = hashFields(['freshet-job', '1', tenant, assetId, segmentId, textHash, model]);
  return `job_${digest.slice(0, 40)}`;
}

/** A document as it was read: the hash of its present text, and whether that text is still kept. */
interface ReadDocument {
  readonly contentHash: string;
  readonly isKept: boolean;
}

/**
 * Tells whether a reading is of a document. Undefined: it is of any other source.
 * @param columns one text per text column, null where there is none
 */
export function readDocument(
  textColumns: readonly { readonly isApart?: true | undefined }[],
  columns: readonly (string | null)[],
): ReadDocument | undefined {
  const [text = null, contentHash = null] = columns;
  if (textColumns[0]?.isApart !== true || contentHash === null) return undefined;
  return { contentHash, isKept: text !== null };
}
