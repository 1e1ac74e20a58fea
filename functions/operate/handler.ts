import middy from '@middy/core';
import { answerOperator } from '../../lib/pipeline/operate/operate.ts';
import type { OperatePorts } from '../../lib/pipeline/operate/operate-ports.ts';
import { refuseReadably } from '../../lib/pipeline/operate/reply.ts';
import type { OperateReply } from '../../lib/ports/operator.ts';
import type { LambdaDependencies } from '../../lib/wiring/lambda.ts';
import { createLazyHandler } from '../lambda.ts';

/**
 * Creates a handler that answers an operator; a failure is part of the reply.
 * The reply tells the failure in words and codes that may be shown.
 */
export function createHandler(ports: OperatePorts) {
  return middy<unknown, OperateReply>().handler(async (event, context) =>
    refuseReadably(ports.logger, () =>
      answerOperator(ports, event, () => context.getRemainingTimeInMillis()),
    ),
  );
}

export function createLambda(dependencies?: LambdaDependencies) {
  return createLazyHandler(async () => {
    const { wireOperate } = await import('../../lib/wiring/lambda-operate.ts');
    return wireOperate(dependencies);
  }, createHandler);
}

/** What Lambda invokes, for nobody but an operator at `freshet aws`. */
export const handler = createLambda();
