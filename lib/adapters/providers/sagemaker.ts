import { pipeline, type Readable, Transform } from 'node:stream';
import type { InvokeEndpointCommand } from '@aws-sdk/client-sagemaker-runtime';
import { FreshetError, UsageError } from '../../core/errors.ts';
import { parseJson } from '../../core/messages.ts';
import { type ModelDefinition, modelForRole } from '../../core/model.ts';
import { classifyProviderFailure, type ProviderSignal } from '../../core/provider-failures.ts';
import type { Clock } from '../../ports/process.ts';
import type { EmbeddingLimits, EmbeddingProvider } from '../../ports/provider.ts';
import { type ClientAccess, clientSettings } from '../aws/client-settings.ts';
import { findNetworkCode } from '../network/open-network.ts';
import { findNamedParameters, type JsonAnswer, readErrorWords } from '../network/post-json.ts';
import { encodeFloats } from './float-lists.ts';
import { chooseLimits, createJsonProvider } from './json-provider.ts';

/**
 * What TEI takes when nothing is set at its start.
 * `MAX_CLIENT_BATCH_SIZE` is 32 texts, `PAYLOAD_LIMIT` 2,000,000 bytes of JSON, of which escapes
 * take some.
 */
const DEFAULT_LIMITS: EmbeddingLimits = {
  maxTextsPerCall: 32,
  maxTokensPerCall: 280_000,
  maxBytesPerCall: 1_600_000,
  tokenization: 'server',
};
/**
 * What TEI and InvokeEndpoint can take at most.
 * `MAX_CONCURRENT_REQUESTS` of TEI is 512, and since 1.9 every text of a batch takes one of them.
 * InvokeEndpoint takes 6 MB.
 */
const MAX_LIMITS: EmbeddingLimits = { ...DEFAULT_LIMITS, maxTextsPerCall: 512, maxBytesPerCall: 5_000_000 };

const DEFAULT_BODY_BYTES = 2_000_000;
const RAISED_BODY_BYTES = 6_000_000;
const REPLY_BYTES = 6_000_000;
/** The longest float32 seen in TEI's JSON, its comma included; the usual take 12 to 16. */
const BYTES_PER_FLOAT = 20;

/**
 * Makes the provider of TEI's `/embed` behind a SageMaker endpoint.
 * TEI itself cuts texts to the length of the model.
 * @throws UsageError where the model names no endpoint
 */
export function createSageMakerProvider(
  model: ModelDefinition,
  invoke: InvokeEndpoint,
  clock: Clock,
): EmbeddingProvider {
  const { endpointName, inferenceComponentName } = model;
  if (endpointName === undefined)
    throw new UsageError(`The model ${model.alias} has no endpointName: name its SageMaker endpoint.`);
  const limits = chooseReadableLimits(model);
  const maxBodyBytes =
    limits.maxBytesPerCall > DEFAULT_LIMITS.maxBytesPerCall ? RAISED_BODY_BYTES : DEFAULT_BODY_BYTES;
  return createJsonProvider(
    model,
    {
      dialect: 'sagemaker',
      limits,
      composeBody: (texts, role) => ({
        ...modelForRole(model, role).extraBody,
        inputs: texts,
        normalize: model.normalized,
        truncate: true,
        ...(model.sendDimensions ? { dimensions: model.dimensions } : {}),
      }),
      send: async request => {
        const { signal, maxAnswerBytes } = request;
        const body = encodeBody(request.body, maxBodyBytes);
        const call = { endpointName, inferenceComponentName, body, signal, maxAnswerBytes };
        return toJsonAnswer(await invoke(call).catch(error => rejectClassified(error, request.parameters)));
      },
      // The answer is `[[…], …]`, which names no model and counts no tokens.
      readReply: vectors =>
        Array.isArray(vectors) ? { items: encodeFloats(vectors), tokens: undefined } : undefined,
    },
    clock,
  );
}

/** Chooses the limits of a model, with no more texts than have their vectors in one reply. */
function chooseReadableLimits(model: ModelDefinition): EmbeddingLimits {
  const limits = chooseLimits(MAX_LIMITS, model, DEFAULT_LIMITS);
  const textsPerReply = Math.max(1, Math.floor(REPLY_BYTES / (model.dimensions * BYTES_PER_FLOAT)));
  return { ...limits, maxTextsPerCall: Math.min(limits.maxTextsPerCall, textsPerReply) };
}

function encodeBody(fields: object, maxBytes: number): Buffer {
  const body = Buffer.from(JSON.stringify(fields));
  if (body.length <= maxBytes) return body;
  throw new FreshetError(`A request of ${body.length} bytes is over the limit of ${maxBytes}.`, {
    failureClass: 'too-large',
    code: 'payload_too_large',
  });
}

/** Gives an answer of the SDK the shape of one that came over HTTP, its request id included. */
function toJsonAnswer({ body, requestId }: InvokeReply): JsonAnswer {
  const headers = { get: (name: string) => (name === 'x-request-id' ? (requestId ?? null) : null) };
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
  return { json: parseJson(text), headers };
}

function rejectClassified(error: unknown, sent: readonly string[]): never {
  if (error instanceof FreshetError) throw error;
  const { OriginalMessage } = Object(error) as Record<string, unknown>;
  const named = typeof OriginalMessage === 'string' ? findNamedParameters(OriginalMessage, sent) : [];
  throw classifyProviderFailure({ ...toSignal(error), sent, named });
}

/** Calls InvokeEndpoint. Rejects with errors of the AWS SDK, which must not travel on. */
type InvokeEndpoint = (request: InvokeRequest) => Promise<InvokeReply>;

interface InvokeRequest {
  readonly endpointName: string;
  readonly inferenceComponentName?: string | undefined;
  /** JSON, as UTF-8. */
  readonly body: Buffer;
  readonly signal: AbortSignal;
  readonly maxAnswerBytes: number;
}

interface InvokeReply {
  readonly body: Uint8Array;
  readonly requestId: string | undefined;
}

/**
 * The time-out of the socket, which AWS advises; SageMaker gives a container 60 s.
 * Our own deadline usually comes first.
 */
const REQUEST_TIMEOUT_MS = 70_000;

/** Opens InvokeEndpoint with one try per call; the SDK is loaded at the first call. */
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
    limitAnswer(command, request.maxAnswerBytes);
    const reply = await client.send(command, { abortSignal: request.signal });
    return { body: reply.Body ?? new Uint8Array(), requestId: reply.$metadata.requestId };
  };
}

/** Bounds an answer between the socket and the SDK, which collects whatever it is sent. */
function limitAnswer(command: InvokeEndpointCommand, maxBytes: number): void {
  command.middlewareStack.add(
    next => async input => {
      const output = await next(input);
      const response = output.response as { body?: Readable } | undefined;
      if (response?.body !== undefined) response.body = limitBytes(response.body, maxBytes);
      return output;
    },
    { step: 'deserialize', priority: 'low', name: 'limitAnswer' },
  );
}

function limitBytes(body: Readable, maxBytes: number): Readable {
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

/**
 * Reads codes and numbers from an error of the AWS SDK.
 * The error itself must not travel on: its message and `OriginalMessage` are what the container
 * answered, and containers quote the text.
 */
function toSignal(error: unknown): ProviderSignal {
  const { name, message, $metadata, OriginalStatusCode, OriginalMessage } = Object(error) as Record<
    string,
    unknown
  >;
  const { httpStatusCode, requestId } = Object($metadata) as Record<string, unknown>;
  const shared = { requestId: readAwsRequestId(requestId) };
  if (name === 'ModelError') {
    const status = typeof OriginalStatusCode === 'number' ? OriginalStatusCode : undefined;
    return { ...shared, dialect: 'sagemaker', status, type: readErrorType(OriginalMessage) };
  }
  const refused = typeof httpStatusCode === 'number' && httpStatusCode >= 300;
  if (!refused) return { ...shared, ...describeBrokenCall(name, error) };
  return {
    ...shared,
    exception: typeof name === 'string' ? name : undefined,
    about: findSubject(message),
    status: httpStatusCode,
  };
}

/** Describes a call without a whole answer. The SDK calls a reset connection a time-out too. */
function describeBrokenCall(name: unknown, error: unknown): ProviderSignal {
  const networkCode = findNetworkCode(error);
  if (networkCode !== undefined && networkCode !== 'ETIMEDOUT') return { networkCode };
  if (name === 'TimeoutError') return { timedOut: true };
  return typeof name === 'string' && name.startsWith('Credentials')
    ? { exception: name }
    : { networkCode: networkCode ?? 'UNKNOWN' };
}

/** Reads the id of an AWS request, a UUID. The id is logged, so nothing else passes. */
function readAwsRequestId(requestId: unknown): string | undefined {
  return typeof requestId === 'string' && /^[0-9a-f-]{16,64}$/i.test(requestId) ? requestId : undefined;
}

/** Finds the subject of a ValidationError by a few words of its message. */
function findSubject(message: unknown): ProviderSignal['about'] {
  if (typeof message !== 'string') return undefined;
  if (/\bno capacity\b|\bnot have capacity\b/i.test(message)) return 'no_capacity';
  if (/\bnot found\b|could not find/i.test(message)) return 'endpoint_not_found';
  if (/less than or equal to|too large|exceeds? the (limit|maximum)/i.test(message))
    return 'payload_too_large';
  return undefined;
}

/** Reads the type in TEI's `{"error", "error_type"}`, which SageMaker may have cut. */
function readErrorType(original: unknown): string | undefined {
  if (typeof original !== 'string') return undefined;
  try {
    return readErrorWords(JSON.parse(original)).type;
  } catch {
    return /"error_type"\s*:\s*"(\w{1,32})"/.exec(original)?.[1];
  }
}
