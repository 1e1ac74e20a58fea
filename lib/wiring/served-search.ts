import { randomBytes } from 'node:crypto';
import { DirectoryInUseError } from '../adapters/pglite/lock-directory.ts';
import { suggestNearest } from '../core/config/describe-issues.ts';
import { ServiceRefusal } from '../core/service-refusal.ts';
import { refuseUnknownSource } from '../pipeline/search/prepare-search.ts';
import type { EmbeddingService } from '../ports/embedding-service.ts';
import type { SearchService } from '../ports/search.ts';
import type { Tracer } from '../ports/tracer.ts';
import type { AskLocally } from './local-requests.ts';
import { openSearch, searchByService } from './open-search.ts';
import { type Workspace, type WorkspaceRequest, withWorkspace } from './workspace.ts';

/** Makes the search of clients, whose texts the service embeds in its queue. */
export type ServeSearch = (service: EmbeddingService, tracer?: Tracer) => SearchService;

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
  return (service, tracer) => openSearch(workspace, searchByService(service, cursorKey), tracer);
}

/**
 * Serves the search over the embedded database, which is for one process at a time.
 * It is opened for each search and closed, so that a run can have it. While a run has it, that run
 * answers the person who has the database, and the searches of clients are refused: nobody but this
 * process has read their tokens. A source that is not among `names` is refused without it.
 * @param askHolder asks the process that has the database
 */
export function searchEmbedded(
  request: WorkspaceRequest,
  names: readonly string[],
  inTurn: InTurn,
  askHolder: AskLocally,
): ServeSearch {
  return (service, tracer) => {
    const ask = async <Answer>(
      [{ source }, { kind }]: Parameters<SearchService['search']>,
      use: (search: SearchService) => Promise<Answer>,
      useHolder: () => Promise<Answer>,
    ): Promise<Answer> => {
      if (!names.includes(source)) refuseUnknownSource(source, names, suggestNearest);
      const opened = inTurn(() =>
        withWorkspace(request, workspace =>
          use(openSearch(workspace, searchByService(service, cursorKey), tracer)),
        ),
      );
      return opened.catch((error: unknown) => {
        const isAsked = kind === 'operator' && error instanceof DirectoryInUseError;
        return isAsked ? useHolder() : refuseInUse(error);
      });
    };
    return {
      search: (...asked) =>
        ask(
          asked,
          search => search.search(...asked),
          () => askHolder('search', asked[0]),
        ),
      explain: (...asked) =>
        ask(
          asked,
          search => search.explain(...asked),
          () => askHolder('explain-search', asked[0]),
        ),
    };
  };
}

export function refuseInUse(error: unknown): never {
  if (!(error instanceof DirectoryInUseError)) throw error;
  throw new ServiceRefusal('not_ready', 'A run has the embedded database: ask again when it has ended.', {
    retryAfterSeconds: IN_USE_SECONDS,
  });
}
