import type { Space } from '../../core/model/space.ts';
import type { SpaceRegistry } from '../../ports/space-registry.ts';
import { badRequest } from './bad-request.ts';

/** The spaces of a source, of a model, or of both. Throws `bad_request` that says what there is when none matches. */
export async function chooseSpaces(
  registry: SpaceRegistry,
  wanted: { readonly source?: string | undefined; readonly model?: string | undefined },
): Promise<readonly Space[]> {
  const spaces = await registry.list();
  const chosen = spaces.filter(
    ({ source, model }) =>
      (wanted.source === undefined || wanted.source === source.name) &&
      (wanted.model === undefined || wanted.model === model.alias),
  );
  if (chosen.length > 0) return chosen;
  throw badRequest(
    `No source and model match. There are: ${spaces.map(space => `${space.source.name} · ${space.model.alias}`).join(', ')}.`,
  );
}
