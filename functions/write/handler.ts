import type { WritePorts } from '../../lib/pipeline/write/load-result.ts';
import { createWriteStep } from '../../lib/pipeline/write/write-step.ts';
import type { LambdaDependencies } from '../../lib/wiring/lambda.ts';
import { createRecordHandler, lazilyWired } from '../lambda.ts';

export function createHandler(ports: WritePorts) {
  const { one, together } = createWriteStep(ports);
  return createRecordHandler(ports, one, together);
}

export function createLambda(surroundings?: LambdaDependencies) {
  return lazilyWired(async () => {
    const { wireWrite } = await import('../../lib/wiring/lambda-write.ts');
    return wireWrite(surroundings);
  }, createHandler);
}

/** What Lambda invokes for messages of the results queue. */
export const handler = createLambda();
