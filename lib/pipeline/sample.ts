import { FreshetError } from '../core/errors.ts';
import type { Logger } from '../ports/process.ts';
import type { Coverage, SampleItem, SampleStore } from '../ports/report-store.ts';

export interface SamplePorts {
  readonly store: SampleStore;
  readonly readItems: () => Promise<readonly SampleItem[]>;
  readonly logger: Logger;
}

type SampleRequest =
  | { readonly action: 'load' }
  | { readonly action: 'insert'; readonly title: string }
  | { readonly action: 'grow'; readonly rows: number }
  | { readonly action: 'edit'; readonly id: string; readonly title: string }
  | { readonly action: 'coverage' };

export type SampleReply =
  | { readonly rows: number; readonly created: boolean }
  | { readonly id: string }
  | { readonly rows: number }
  | { readonly edited: boolean }
  | { readonly spaces: readonly Coverage[] };

/** Answers a request for the example database: loads it, edits a row, or reads coverage. */
export async function answerSampleRequest(
  { store, readItems, logger }: SamplePorts,
  request: SampleRequest,
): Promise<SampleReply> {
  switch (request.action) {
    case 'load': {
      const loaded = await store.load(await readItems());
      logger.info('sample-loaded', loaded);
      return loaded;
    }
    case 'insert':
      return { id: await store.insert(request.title) };
    case 'grow':
      return { rows: await store.grow(request.rows) };
    case 'edit':
      return { edited: await store.edit(request.id, request.title) };
    case 'coverage':
      return { spaces: await store.readCoverage() };
  }
}

const MAX_TITLE_LENGTH = 200;

/** Rows that the example database is grown to at most. */
export const MAX_SAMPLE_ROWS = 1_000_000;

/**
 * Parses the input of `sample`. A request without `action` loads the sample.
 * A deployment's trigger sends an empty event.
 * @throws FreshetError with code `bad_request`.
 */
export function parseSampleRequest(event: unknown): SampleRequest {
  const { action = 'load', id, title, rows, ...others } = (event ?? {}) as Record<string, unknown>;
  if (Object.keys(others).length === 0 && action === 'grow') {
    if (id === undefined && title === undefined && isRowCount(rows)) return { action, rows };
  } else if (Object.keys(others).length === 0 && rows === undefined) {
    if ((action === 'load' || action === 'coverage') && id === undefined && title === undefined)
      return { action };
    if (action === 'insert' && id === undefined && isTitle(title)) return { action, title };
    if (action === 'edit' && typeof id === 'string' && /^\d{1,18}$/.test(id) && isTitle(title))
      return { action, id, title };
  }
  throw new FreshetError(
    'sample takes { "action": "load" | "coverage" }, { "action": "insert", "title" }, ' +
      `{ "action": "grow", "rows" } with at most ${MAX_SAMPLE_ROWS} rows or ` +
      `{ "action": "edit", "id": "1", "title" } with at most ${MAX_TITLE_LENGTH} characters.`,
    { failureClass: 'unknown', code: 'bad_request' },
  );
}

function isRowCount(rows: unknown): rows is number {
  return Number.isInteger(rows) && Number(rows) >= 1 && Number(rows) <= MAX_SAMPLE_ROWS;
}

function isTitle(title: unknown): title is string {
  return typeof title === 'string' && title !== '' && title.length <= MAX_TITLE_LENGTH;
}
