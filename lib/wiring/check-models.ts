import { createGoldenStore } from '../adapters/sql/golden/sql-golden-store.ts';
import { migrate } from '../adapters/sql/migrations/migrate.ts';
import { createSystemClock } from '../adapters/system/system-clock.ts';
import { createTokenizer } from '../adapters/tokenizer/gpt-tokenizer.ts';
import { formatPath } from '../core/config/describe-issues.ts';
import type { ModelDefinition } from '../core/model/space.ts';
import { type CheckProblem, checkModel, type ModelCheck } from '../pipeline/check/check-model.ts';
import { createLocalAccess } from './create-local-access.ts';
import { createProviders } from './create-providers.ts';
import type { Workspace } from './open-workspace.ts';

/**
 * A check of a model.
 * Its problem names the line of the configuration that mends the problem, if there is one.
 */
export type CheckedModel = Omit<ModelCheck, 'problem'> & {
  readonly problem?: Omit<CheckProblem, 'key'> & { readonly line?: string };
};

/**
 * Calls each model of the sources once and compares its vectors with the recorded ones.
 * `aliases` restricts the check to these models. The first check of a model records its vectors.
 */
export async function checkModels(
  workspace: Workspace,
  aliases?: ReadonlySet<string>,
): Promise<readonly CheckedModel[]> {
  const { config, environment, database } = workspace;
  await migrate(database);
  const clock = createSystemClock();
  const ports = { clock, tokenizer: createTokenizer(), golden: createGoldenStore(database) };
  const checks: CheckedModel[] = [];
  for (const [alias, provider] of await createProviders(config, createLocalAccess(environment), clock)) {
    const model = config.models[alias];
    if (model === undefined || aliases?.has(alias) === false) continue;
    const deadlineMs = (model.timeoutSeconds ?? config.limits.timeoutSeconds) * 1000;
    checks.push(nameLine(await checkModel({ ...ports, provider }, model, deadlineMs), model, workspace.file));
  }
  return checks;
}

function nameLine({ problem, ...check }: ModelCheck, model: ModelDefinition, file: string): CheckedModel {
  if (problem === undefined) return check;
  const { key, ...told } = problem;
  if (key === undefined) return { ...check, problem: told };
  const path = formatPath(['models', model.alias, key]);
  const line = {
    baseUrl: model.baseUrl === undefined ? path : `${path} (now ${withoutQuery(model.baseUrl)})`,
    revision: `${path} (another name), or ${formatPath(['models', model.alias, 'check'])}: 'off' if you know better`,
  };
  const named = key === 'baseUrl' || key === 'revision' ? line[key] : path;
  return { ...check, problem: { ...told, line: `${named}, in ${file}` } };
}

/** Takes the query off an address: a query can hold a key. */
function withoutQuery(url: string): string {
  const parsed = URL.parse(url);
  return parsed === null ? 'no URL' : parsed.origin + parsed.pathname;
}
