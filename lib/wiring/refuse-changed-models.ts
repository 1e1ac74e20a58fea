import { createGoldenStore } from '../adapters/sql/golden/sql-golden-store.ts';
import { UsageError } from '../core/errors/usage-error.ts';
import { GOLDEN_TEXT_VERSION } from '../core/model/golden-texts.ts';
import { fingerprintModel } from '../core/text/fingerprint-model.ts';
import type { Coverage } from '../ports/report-store.ts';
import { checkModels } from './check-models.ts';
import type { Workspace } from './open-workspace.ts';

const AGREES_FOR_SECONDS = 24 * 3600;

/**
 * Refuses a run whose models no longer give the vectors that are stored.
 * Runs call this before they buy anything. A model is checked when it has work to do, has recorded
 * golden vectors, and was not compared for a day. A provider that fails is left to the run, which
 * waits and reports as it always does.
 * @throws UsageError where a model gives other vectors than the stored ones.
 */
export async function refuseChangedModels(
  workspace: Workspace,
  coverages: readonly Coverage[],
): Promise<void> {
  const golden = createGoldenStore(workspace.database);
  const busy = coverages.filter(({ stale, inFlight }) => stale + inFlight > 0).map(({ model }) => model);
  const due = new Set<string>();
  for (const alias of new Set(busy)) {
    const model = workspace.config.models[alias];
    if (model === undefined || model.check === 'off') continue;
    const key = { modelFingerprint: fingerprintModel(model), textVersion: GOLDEN_TEXT_VERSION };
    const record = await golden.find(key);
    if (record !== undefined && record.ageSeconds >= AGREES_FOR_SECONDS) due.add(alias);
  }
  if (due.size === 0) return;
  for (const { alias, problem } of await checkModels(workspace, due)) {
    if (problem?.code === 'golden_mismatch')
      throw new UsageError(`Model "${alias}": ${problem.message}`, `The line is ${problem.line}.`);
  }
}
