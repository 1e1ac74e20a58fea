import { parseConfig } from '../../lib/core/config/parse-config.ts';
import { UsageError } from '../../lib/core/errors.ts';

/** What `parseConfig` has against a configuration, one line a problem; none where it takes it. */
export function problemsOf(input: unknown): string[] {
  try {
    parseConfig(input);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return error.message
      .split('\n')
      .slice(1)
      .map(line => line.trim());
  }
  return [];
}
