import type { ServerResponse } from 'node:http';
import { type Behaviour, embed, POISON, send, sendJson } from './behaviour.ts';

/** As the service writes an exception: its name in a header, its fields in the body. */
function throwException(
  response: ServerResponse,
  status: number,
  name: string,
  fields: Record<string, unknown> = {},
): void {
  sendJson(
    response,
    status,
    { Message: 'canary', message: 'canary', ...fields },
    { 'x-amzn-errortype': name },
  );
}

const exception = (status: number, name: string, message = 'canary'): Behaviour => ({
  name: `${name}${message === 'canary' ? '' : `: ${message}`}`,
  protocols: ['sagemaker'],
  answer: ({ response }) => throwException(response, status, name, { Message: message, message }),
});

/** Whatever the container answered comes wrapped, with status 424. */
function answerOfContainer(response: ServerResponse, status: number, original: string): void {
  throwException(response, 424, 'ModelError', {
    OriginalStatusCode: status,
    OriginalMessage: original,
    Message: `Received client error (${status}) from primary with message "${original}"`,
    LogStreamArn: 'arn:aws:logs:eu-central-1:123456789012:log-group:canary',
  });
}

const tei = (version: string, status: number, errorType: string): Behaviour => ({
  name: `TEI ${version}: ${status} ${errorType}`,
  protocols: ['sagemaker'],
  answer: ({ response }) =>
    answerOfContainer(response, status, JSON.stringify({ error: 'canary', error_type: errorType })),
});

const container = (name: string, status: number, original: string): Behaviour => ({
  name,
  protocols: ['sagemaker'],
  answer: ({ response }) => answerOfContainer(response, status, original),
});

/** What SageMaker's runtime does, and the container behind it. */
export const SAGEMAKER_BEHAVIOURS: readonly Behaviour[] = [
  exception(
    400,
    'ValidationError',
    'Inference Component has no capacity to process this request. ApplicationAutoScaling may be in-progress',
  ),
  exception(400, 'ValidationError', 'Endpoint embeddings of account 123456789012 not found.'),
  exception(400, 'ValidationError', 'Member must have length less than or equal to 6291456'),
  exception(400, 'ValidationError'),
  exception(429, 'ModelNotReadyException'),
  exception(400, 'ThrottlingException'),
  exception(503, 'ServiceUnavailable'),
  exception(500, 'InternalFailure'),
  exception(530, 'InternalDependencyException'),
  exception(403, 'AccessDeniedException'),
  exception(403, 'ExpiredTokenException'),
  exception(403, 'UnrecognizedClientException'),
  exception(403, 'InvalidSignatureException'),
  exception(500, 'SomethingNewException'),
  exception(418, 'SomethingStrangeException'),
  {
    name: 'a cold endpoint for two calls, then the right answer',
    protocols: ['sagemaker'],
    answer: answering =>
      answering.callsBefore < 2
        ? throwException(answering.response, 429, 'ModelNotReadyException')
        : embed(answering),
  },
  tei('1.8', 413, 'Validation'),
  tei('1.9', 422, 'Validation'),
  tei('1.9', 400, 'Empty'),
  tei('1.8 and 1.9', 422, 'Tokenizer'),
  tei('1.8 and 1.9', 424, 'Backend'),
  tei('1.8 and 1.9', 429, 'Overloaded'),
  tei('as documented', 429, 'overloaded'),
  tei('1.8 and 1.9', 503, 'Unhealthy'),
  ...[413, 422].map(
    (status): Behaviour => ({
      name: `TEI ${status === 413 ? '1.8' : '1.9'}: ${status} Validation for a batch with one certain text`,
      protocols: ['sagemaker'],
      answer: answering =>
        answering.texts.includes(POISON)
          ? answerOfContainer(answering.response, status, '{"error":"canary","error_type":"Validation"}')
          : embed(answering),
    }),
  ),
  {
    name: 'TEI: 424 Backend for more than one text (out of memory)',
    protocols: ['sagemaker'],
    answer: answering =>
      answering.texts.length > 1
        ? answerOfContainer(answering.response, 424, '{"error":"canary","error_type":"Backend"}')
        : embed(answering),
  },
  {
    name: 'TEI: 413 in plain text, over PAYLOAD_LIMIT, for more than one text',
    protocols: ['sagemaker'],
    answer: answering =>
      answering.texts.length > 1
        ? answerOfContainer(
            answering.response,
            413,
            'Failed to buffer the request body: length limit exceeded',
          )
        : embed(answering),
  },
  container('a container that does not support embeddings', 501, '{"error":"canary"}'),
  container('an error of the container, cut by SageMaker', 422, '{"error_type":"Validation","error":"can'),
  container('an error of the container that is HTML', 500, '<html>canary</html>'),
  container('a container that answered nothing in time', 0, 'Your invocation timed out'),
  container('a container that asks for a key', 401, '{"error":"canary"}'),
  container('a container without /embed', 404, ''),
  {
    name: 'a ModelError without the status of the container',
    protocols: ['sagemaker'],
    answer: ({ response }) => throwException(response, 424, 'ModelError'),
  },
  {
    name: 'an HTML page of a proxy (503)',
    protocols: ['sagemaker'],
    answer: ({ response }) => send(response, 503, '<html>canary</html>', { 'content-type': 'text/html' }),
  },
  {
    name: 'an object where a list of vectors belongs',
    protocols: ['sagemaker'],
    answer: ({ response, protocol, texts }) =>
      sendJson(response, 200, { vectors: protocol.vectorsOf(texts) }),
  },
];
