import { pipeline, type Readable, Transform } from 'node:stream';
import type { InvokeEndpointCommand } from '@aws-sdk/client-sagemaker-runtime';
import { FreshetError } from '../../core/errors/freshet-error.ts';
import { type ClientAccess, clientSettings } from '../aws/client-settings.ts';

/** InvokeEndpoint, of which the provider needs no more. Rejects with the errors of the AWS SDK, which must not travel on. */
export type InvokeEndpoint = (request: InvokeRequest) => Promise<InvokeReply>;

export interface InvokeRequest {
  readonly endpointName: string;
  readonly inferenceComponentName?: string | undefined;
  /** JSON, as UTF-8. */
  readonly body: Buffer;
  readonly signal: AbortSignal;
  readonly maxAnswerBytes: number;
}

export interface InvokeReply {
  readonly body: Uint8Array;
  readonly requestId: string | undefined;
}

/** SageMaker gives a container 60 s; AWS advises a socket timeout of 70 s. Our own deadline usually comes first. */
const REQUEST_TIMEOUT_MS = 70_000;

/** One try per call: retries are the pipeline's. The SDK is loaded at the first call. */
export function openInvoker(access: ClientAccess = {}): InvokeEndpoint {
  let loading: ReturnType<typeof load> | undefined;
  const load = async () => {
    const { SageMakerRuntimeClient: Client, InvokeEndpointCommand: Command } = await import(
      '@aws-sdk/client-sagemaker-runtime'
    );
    const settings = clientSettings({ ...access, maxAttempts: 1 }, { requestTimeoutMs: REQUEST_TIMEOUT_MS });
    const client = new Client(settings);
    return { client, Command };
  };
  return async request => {
    loading ??= load();
    const { client, Command } = await loading;
    const command = new Command({
      EndpointName: request.endpointName,
      ...(request.inferenceComponentName === undefined
        ? {}
        : { InferenceComponentName: request.inferenceComponentName }),
      ContentType: 'application/json',
      Accept: 'application/json',
      Body: request.body,
    });
    boundAnswers(command, request.maxAnswerBytes);
    const reply = await client.send(command, { abortSignal: request.signal });
    return { body: reply.Body ?? new Uint8Array(), requestId: reply.$metadata.requestId };
  };
}

/** The SDK collects whatever it is sent; this stands between the socket and the collecting. */
function boundAnswers(command: InvokeEndpointCommand, maxBytes: number): void {
  command.middlewareStack.add(
    next => async input => {
      const output = await next(input);
      const response = output.response as { body?: Readable } | undefined;
      if (response?.body !== undefined) response.body = bound(response.body, maxBytes);
      return output;
    },
    { step: 'deserialize', priority: 'low', name: 'boundAnswers' },
  );
}

function bound(body: Readable, maxBytes: number): Readable {
  let length = 0;
  const counting = new Transform({
    transform(chunk: Buffer, _, done) {
      length += chunk.length;
      if (length <= maxBytes) return done(null, chunk);
      done(
        new FreshetError('The endpoint answered more bytes than any right answer has.', {
          failureClass: 'transient',
          code: 'reply_too_large',
        }),
      );
    },
  });
  pipeline(body, counting, () => undefined);
  return counting;
}
