import { InvokeCommand, type LambdaClient } from '@aws-sdk/client-lambda';
import { FreshetError } from '../../core/errors/freshet-error.ts';
import { parseJson } from '../../core/messages/parse-json.ts';
import { askAws } from '../aws/ask-aws.ts';

const ACTION = 'lambda:InvokeFunction';

/**
 * Invokes a function and waits for its answer.
 * The error of a function that threw carries the function's own sentence; our sentences contain no
 * text of a row.
 * @throws FreshetError `function_failed`, of class `unknown`, where the function threw
 */
export async function invokeFunction(
  client: LambdaClient,
  functionName: string,
  event: object,
): Promise<unknown> {
  const { FunctionError, Payload } = await askAws(ACTION, () =>
    client.send(
      new InvokeCommand({ FunctionName: functionName, Payload: Buffer.from(JSON.stringify(event)) }),
    ),
  );
  const answer: unknown = parseJson(Buffer.from(Payload ?? []).toString('utf8'));
  if (FunctionError === undefined) return answer;
  const { errorMessage } = (answer ?? {}) as { errorMessage?: unknown };
  throw new FreshetError(
    `The function ${functionName} failed: ${typeof errorMessage === 'string' ? errorMessage : FunctionError}`,
    { failureClass: 'unknown', code: 'function_failed' },
  );
}

/**
 * Starts a function and does not wait for its end.
 * The function's own alarms tell how it ended.
 */
export async function startFunction(
  client: LambdaClient,
  functionName: string,
  event: object,
): Promise<void> {
  const Payload = Buffer.from(JSON.stringify(event));
  await askAws(ACTION, () =>
    client.send(new InvokeCommand({ FunctionName: functionName, InvocationType: 'Event', Payload })),
  );
}
