import { randomBytes } from 'node:crypto';
import { DirectoryInUseError } from '../adapters/pglite/lock-directory.ts';
import { suggestNearest } from '../core/config/describe-issues.ts';
import { ServiceRefusal } from '../core/service-refusal.ts';
import { refuseUnknownSource } from '../pipeline/search/prepare-search.ts';
import type { EmbeddingService } from '../ports/embedding-service.ts';
import type { SearchService } from '../ports/search.ts';
import { openSearch, searchByService } from './open-search.ts';
import { type Workspace, type WorkspaceRequest, withWorkspace } from './workspace.ts';

/** Makes the search of clients, whose texts the service embeds in its queue. */
export type ServeSearch = (service: EmbeddingService) => SearchService;

const IN_USE_SECONDS = 10;

/** Cursors hold as long as the process: nothing else needs to know this key. */
const cursorKey = randomBytes(32);

/** Does work when all that was given before has ended. */
export type InTurn = <Result>(work: () => Promise<Result>) => Promise<Result>;

/**
 * Makes a row in which work waits for its turn.
 * A second opening of the embedded database would find it taken by this process.
 */
export function takeTurns(): InTurn {
  let turn: Promise<unknown> = Promise.resolve();
  return work => {
    const done = turn.then(work);
    turn = done.catch(() => undefined);
    return done;
  };
}

/** Serves the search over a database that stays open. */
export function searchOpened(workspace: Workspace): ServeSearch {
  return service => openSearch(workspace, searchByService(service, cursorKey));
}

/**
 * Serves the search over the embedded database, which is for one process at a time.
 * It is opened for each search and closed, so that a run can have it. While another process has it,
 * searches are refused. A source that is not among `names` is refused without it.
 */
export function searchEmbedded(
  request: WorkspaceRequest,
  names: readonly string[],
  inTurn: InTurn,
): ServeSearch {
  return service => {
    async function ask<Answer>(
      source: string,
      use: (search: SearchService) => Promise<Answer>,
    ): Promise<Answer> {
      if (!names.includes(source)) refuseUnknownSource(source, names, suggestNearest);
      return inTurn(() =>
        withWorkspace(request, workspace =>
          use(openSearch(workspace, searchByService(service, cursorKey))),
        ).catch(refuseInUse),
      );
    }
    return {
      search: (...asked) => ask(asked[0].source, search => search.search(...asked)),
      explain: (...asked) => ask(asked[0].source, search => search.explain(...asked)),
    };
  };
}

export function refuseInUse(error: unknown): never {
  if (!(error instanceof DirectoryInUseError)) throw error;
  throw new ServiceRefusal('not_ready', 'A run has the embedded database: ask again when it has ended.', {
    retryAfterSeconds: IN_USE_SECONDS,
  });
}
