import { InvokeCommand, type LambdaClient } from '@aws-sdk/client-lambda';
import { FreshetError } from '../../core/errors/freshet-error.ts';
import { parseJson } from '../../core/messages/parse-json.ts';
import { askAws } from '../aws/ask-aws.ts';

const ACTION = 'lambda:InvokeFunction';

/** Waits for the answer. A function that threw rejects here with its sentence: ours hold no text of a row. */
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

/** Does not wait: the function works by itself, and its own alarms say how it ended. */
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
