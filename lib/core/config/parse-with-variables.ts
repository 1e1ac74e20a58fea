import type { ConfigProblem } from './describe-issues.ts';
import { fillFromEnvironment, listSet, type Variables } from './environment-table.ts';
import { checkConfig, problemsError } from './parse-config.ts';
import type { PipelineConfig } from './pipeline-config.ts';

/**
 * Checks a configuration of which variables fill what it leaves out.
 * @throws UsageError lists every problem. One that a variable brought in is told by the name of the
 *   variable, with what to write there: nobody finds the key in the file
 */
export function parseWithVariables(
  exported: unknown,
  variables: Variables,
): { readonly input: unknown; readonly config: PipelineConfig } {
  const input = fillFromEnvironment(exported, variables);
  const { config, problems } = checkConfig(input);
  if (config !== undefined) return { input, config };
  const set = listSet(variables);
  const causesOf = createCauses(exported, variables, set);
  const told = problems.map(problem => ({ ...problem, causes: causesOf(problem) }));
  const remedies = set
    .filter(({ name }) => told.some(({ causes }) => causes.includes(name)))
    .map(({ name, expected }) => `${name}: ${expected}; or unset ${name}`);
  if (told.some(({ path, causes }) => causes.length > 0 && path.endsWith('.provider')))
    remedies.push('EMBED_PROVIDER and MIS_URL say where such a model is served.');
  throw problemsError(
    told.map(({ path, message, causes }) =>
      causes.length === 0
        ? { path, message }
        : {
            path: `${causes.length === 1 ? 'variable' : 'variables'} ${causes.join(', ')} (${path})`,
            message,
          },
    ),
    remedies.length === 0 ? undefined : remedies.join('\n'),
  );
}

/**
 * Makes what tells the variables that a problem comes from: those without which it is not there.
 * Where each of several brings it in by itself, it is all of those. None: it is the file's own.
 */
function createCauses(
  exported: unknown,
  variables: Variables,
  set: readonly { readonly name: string }[],
): (problem: ConfigProblem) => readonly string[] {
  const names = set.map(({ name }) => name);
  const known = new Map<string, ReadonlySet<string>>();
  const problemsWith = (kept: readonly string[]) => {
    const found = known.get(kept.join());
    if (found !== undefined) return found;
    const filled = fillFromEnvironment(
      exported,
      Object.fromEntries(kept.map(name => [name, variables[name]])),
    );
    const problems = new Set(checkConfig(filled).problems.map(identify));
    known.set(kept.join(), problems);
    return problems;
  };
  return problem => {
    const id = identify(problem);
    const needed = names.filter(name => !problemsWith(names.filter(other => other !== name)).has(id));
    if (needed.length > 0 || problemsWith([]).has(id)) return needed;
    return names.filter(name => problemsWith([name]).has(id));
  };
}

/** What stays of a problem where other names are known. */
function identify({ path, message }: ConfigProblem): string {
  return `${path}: ${message.replace(/(; did you mean .*)? ?\(known: .*$/s, '')}`;
}
