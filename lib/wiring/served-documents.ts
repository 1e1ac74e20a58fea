import type { PipelineConfig } from '../core/config/pipeline-config.ts';
import type { DocumentService } from '../ports/documents.ts';
import type { Clock } from '../ports/process.ts';
import { createDocumentSweep, openDocuments } from './open-documents.ts';
import { type InTurn, refuseInUse } from './served-search.ts';
import { type Workspace, type WorkspaceRequest, withWorkspace } from './workspace.ts';

/** Serves the documents of clients; `nudge` makes the runs that watch look soon. */
export type ServeDocuments = (nudge: () => void) => DocumentService | undefined;

/** Between two looks for receipts to complete and texts to delete. */
const SWEEP_EVERY_MS = 5000;

/** Serves documents over a database that stays open, and looks after them until `signal` aborts. */
export function documentsOpened(workspace: Workspace, clock: Clock, signal: AbortSignal): ServeDocuments {
  const { config } = workspace;
  return nudge => {
    if (config.documents === undefined) return undefined;
    void sweepUntil(workspace, clock, signal);
    return openDocuments(workspace, config.documents, nudge);
  };
}

/**
 * Serves documents over the embedded database, which is for one process at a time.
 * It is opened for each request and closed, so that a run can have it. While a run has it, requests
 * are refused. What is left to look after is looked after when a job or a receipt is asked for.
 */
export function documentsEmbedded(
  request: WorkspaceRequest,
  { documents: section }: PipelineConfig,
  inTurn: InTurn,
): ServeDocuments {
  return nudge => {
    if (section === undefined) return undefined;
    const ask = <Answer>(use: (documents: DocumentService) => Promise<Answer>): Promise<Answer> =>
      inTurn(() =>
        withWorkspace(request, workspace => use(openDocuments(workspace, section, nudge))).catch(refuseInUse),
      );
    return {
      submit: (...asked) => ask(documents => documents.submit(...asked)),
      findJob: (...asked) => ask(documents => documents.findJob(...asked)),
      erase: (...asked) => ask(documents => documents.erase(...asked)),
      findReceipt: (...asked) => ask(documents => documents.findReceipt(...asked)),
    };
  };
}

async function sweepUntil(workspace: Workspace, clock: Clock, signal: AbortSignal): Promise<void> {
  // A client that asks is told what keeps its receipt.
  const sweep = createDocumentSweep(workspace, () => undefined);
  while (!signal.aborted) {
    await clock.sleep(SWEEP_EVERY_MS, signal);
    if (!signal.aborted) await sweep();
  }
}
