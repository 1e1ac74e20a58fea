import { startFunction } from '../../adapters/lambda-invoke/invoke-function.ts';
import { UsageError } from '../../core/errors/usage-error.ts';
import type { OperateExchanges } from '../../ports/operator.ts';
import type { Deployment } from './open-deployment.ts';

/**
 * Sets the walk over the keys back to the lowest key and begins it now.
 * The schedules take the walk further.
 * @throws UsageError where the deployment does not say which function detects.
 */
export async function startBackfill(
  { ask, functions, clients, stage }: Deployment,
  selection: OperateExchanges['backfill']['request'],
): Promise<OperateExchanges['backfill']['answer']> {
  const detect = functions.detect;
  if (detect === undefined)
    throw new UsageError(
      'The deployment does not say which function detects: it was made by an older version.',
      `npm run deploy -- --stage ${stage}`,
    );
  const answer = await ask('backfill', selection);
  const sources = [...new Set(answer.spaces.map(({ source }) => source))];
  await startFunction(clients.lambda, detect, { pass: 'reconcile', sources });
  return answer;
}
