import { createWriteStep, type WritePorts } from '../../lib/pipeline/write/write-step.ts';
import type { LambdaDependencies } from '../../lib/wiring/lambda.ts';
import { createLazyHandler, createRecordHandler } from '../lambda.ts';

export function createHandler(ports: WritePorts) {
  const { writeOne, writeTogether } = createWriteStep(ports);
  return createRecordHandler(ports, writeOne, writeTogether);
}

export function createLambda(dependencies?: LambdaDependencies) {
  return createLazyHandler(async () => {
    const { wireWrite } = await import('../../lib/wiring/lambda-write.ts');
    return wireWrite(dependencies);
  }, createHandler);
}

/** What Lambda invokes for messages of the results queue. */
export const handler = createLambda();
