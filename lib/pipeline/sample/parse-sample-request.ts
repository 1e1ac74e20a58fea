import { FreshetError } from '../../core/errors/freshet-error.ts';
import type { SampleRequest } from './sample-ports.ts';

const MAX_TITLE_LENGTH = 200;

/**
 * Parses the input of `sample`. A request without `action` loads the sample.
 * A deployment's trigger sends an empty event.
 * @throws FreshetError with code `bad_request`.
 */
export function parseSampleRequest(event: unknown): SampleRequest {
  const { action = 'load', id, title, ...others } = (event ?? {}) as Record<string, unknown>;
  if (Object.keys(others).length === 0) {
    if ((action === 'load' || action === 'coverage') && id === undefined && title === undefined)
      return { action };
    if (action === 'insert' && id === undefined && isTitle(title)) return { action, title };
    if (action === 'edit' && typeof id === 'string' && /^\d{1,18}$/.test(id) && isTitle(title))
      return { action, id, title };
  }
  throw new FreshetError(
    `sample takes { "action": "load" | "coverage" }, { "action": "insert", "title" } or { "action": "edit", "id": "1", "title" } with at most ${MAX_TITLE_LENGTH} characters.`,
    { failureClass: 'unknown', code: 'bad_request' },
  );
}

function isTitle(title: unknown): title is string {
  return typeof title === 'string' && title !== '' && title.length <= MAX_TITLE_LENGTH;
}
