import type { Context } from 'aws-lambda';
import {
  answerSampleRequest,
  parseSampleRequest,
  type SamplePorts,
  type SampleReply,
} from '../../lib/pipeline/sample.ts';
import type { LambdaDependencies } from '../../lib/wiring/lambda.ts';
import { createLazyHandler } from '../lambda.ts';

export function createHandler(ports: SamplePorts) {
  return async (event: unknown, _context: Context): Promise<SampleReply> =>
    answerSampleRequest(ports, parseSampleRequest(event));
}

export function createLambda(dependencies?: LambdaDependencies) {
  return createLazyHandler(async () => {
    const { wireSample } = await import('../../lib/wiring/lambda-sample.ts');
    return wireSample(dependencies);
  }, createHandler);
}

/**
 * What Lambda invokes for the example database.
 * The deployment invokes the function to load the sample. `npm run smoke` invokes it to change rows
 * and to look at the coverage.
 */
export const handler = createLambda();
