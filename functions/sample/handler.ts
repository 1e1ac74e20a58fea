import type { Context } from 'aws-lambda';
import type { SamplePorts, SampleReply } from '../../lib/pipeline/sample.ts';
import { answerSampleRequest, parseSampleRequest } from '../../lib/pipeline/sample.ts';
import type { LambdaDependencies } from '../../lib/wiring/lambda.ts';
import { lazilyWired } from '../lambda.ts';

export function createHandler(ports: SamplePorts) {
  return async (event: unknown, _context: Context): Promise<SampleReply> =>
    answerSampleRequest(ports, parseSampleRequest(event));
}

export function createLambda(surroundings?: LambdaDependencies) {
  return lazilyWired(async () => {
    const { wireSample } = await import('../../lib/wiring/lambda-sample.ts');
    return wireSample(surroundings);
  }, createHandler);
}

/**
 * What Lambda invokes for the example database.
 * The deployment invokes the function to load the sample. `npm run smoke` invokes it to change rows
 * and to look at the coverage.
 */
export const handler = createLambda();
