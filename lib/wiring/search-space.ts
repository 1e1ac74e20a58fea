import { createReportStore } from '../adapters/sql/report/sql-report-store.ts';
import { createSystemClock } from '../adapters/system/system-clock.ts';
import { nearestWord } from '../core/config/nearest-word.ts';
import { UsageError } from '../core/errors/usage-error.ts';
import type { Space } from '../core/model/space.ts';
import { requireVectors } from '../core/reply/require-vectors.ts';
import type { SearchHit } from '../ports/report-store.ts';
import { createLocalAccess } from './create-local-access.ts';
import { createProviders } from './create-providers.ts';
import { openSpaceList } from './open-space-list.ts';
import type { Workspace } from './open-workspace.ts';

export interface SearchResult {
  readonly space: Space;
  readonly hits: readonly SearchHit[];
}

/** Embeds the text as a query with the model of the source's active space and finds the nearest rows. */
export async function searchSpace(
  workspace: Workspace,
  query: { readonly text: string; readonly limit: number; readonly source: string | undefined },
): Promise<SearchResult> {
  const space = chooseSpace(await openSpaceList(workspace), query.source);
  const access = createLocalAccess(workspace.environment);
  const providers = await createProviders(workspace.config, access, createSystemClock());
  const provider = providers.get(space.model.alias)!;
  const reply = await provider.embed({
    texts: [space.model.queryPrefix + query.text],
    deadlineMs: workspace.config.limits.timeoutSeconds * 1000,
  });
  const [vector] = requireVectors(reply, space.model, 1);
  const hits = await createReportStore(workspace.database).search(space, vector!, query.limit);
  return { space, hits };
}

function chooseSpace(spaces: readonly Space[], source: string | undefined): Space {
  const named = source === undefined ? spaces : spaces.filter(space => space.source.name === source);
  const chosen = named.find(space => space.status === 'active') ?? named[0];
  if (chosen !== undefined) return chosen;
  const names = [...new Set(spaces.map(space => space.source.name))];
  const nearest = nearestWord(source ?? '', names);
  throw new UsageError(
    `--source ${JSON.stringify(source)}: there is no such source.${nearest === undefined ? '' : ` Did you mean ${nearest}?`}`,
    `Sources: ${names.join(', ')}`,
  );
}
