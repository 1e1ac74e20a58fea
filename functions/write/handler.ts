import { createWriteStep } from '../../lib/pipeline/write/create-write-step.ts';
import type { WritePorts } from '../../lib/pipeline/write/write-ports.ts';
import type { LambdaSurroundings } from '../../lib/wiring/lambda-surroundings.ts';
import { lazilyWired } from '../middleware/lazily-wired.ts';
import { createRecordHandler } from '../middleware/record-handler.ts';

export function createHandler(ports: WritePorts) {
  const { one, together } = createWriteStep(ports);
  return createRecordHandler(ports, one, together);
}

export function createLambda(surroundings?: LambdaSurroundings) {
  return lazilyWired(async () => {
    const { wireWrite } = await import('../../lib/wiring/lambda-write.ts');
    return wireWrite(surroundings);
  }, createHandler);
}

/** What Lambda invokes for messages of the results queue. */
export const handler = createLambda();
