import { formatPath } from '../core/config/describe-issues.ts';
import { usedAliases } from '../core/config/pipeline-config.ts';
import type { RunError } from '../core/run-end.ts';
import type { RunResult as LocalRunResult } from '../pipeline/local/local-run-parts.ts';
import type { Workspace } from './open-workspace.ts';

/** Also where the run went through. */
export function describeKeptOrphans(orphansKept: LocalRunResult['orphansKept']): string[] {
  return orphansKept.map(({ source, cause }) =>
    cause === 'row-security'
      ? `Source "${source}": vectors whose rows this role does not see are kept, because row-level security may hide them: npm run freshet -- doctor`
      : `Source "${source}": too many rows are gone at once, or all of them; their vectors are kept until somebody confirms it: npm run freshet -- doctor`,
  );
}

export function describeStop({ code, message }: RunError, { config, file }: Workspace): string {
  if (code !== 'wrong_dimensions') return message;
  const lines = usedAliases(config).map(alias => formatPath(['models', alias, 'dimensions']));
  return `${message} The line is ${lines.join(' or ')} in ${file}.`;
}
