import middy from '@middy/core';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { describeUnexpected } from '../../lib/core/errors.ts';
import type { LambdaDependencies } from '../../lib/wiring/lambda.ts';
import type { ApiHandlerPorts } from '../../lib/wiring/lambda-api.ts';
import { createLazyHandler, EARLY_TIMEOUT_MS, flushMetrics } from '../lambda.ts';

/** Creates a handler that answers a request of a client, also where its time runs out. */
export function createHandler({ answer, answerLate, metrics, logger }: ApiHandlerPorts) {
  return middy<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2>({
    timeoutEarlyInMillis: EARLY_TIMEOUT_MS,
  })
    .onError(request => {
      if (request.error?.name !== 'TimeoutError') return;
      logger.warn('request-late', { where: describeUnexpected(request.error) });
      request.response = answerLate();
    })
    .use(flushMetrics<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2>(metrics))
    .handler((event, context) => answer(event, context));
}

export function createLambda(dependencies?: LambdaDependencies) {
  return createLazyHandler(async () => {
    const { wireApi } = await import('../../lib/wiring/lambda-api.ts');
    return wireApi(dependencies);
  }, createHandler);
}

/** What Lambda invokes for a request that the authorizer of the API let in. */
export const handler = createLambda();
