import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Protocol, ProtocolName } from './protocols.ts';

/** One thing that a server can do with a call, and the adapters that can meet it. */
export interface Behaviour {
  /** As it reads in a table. */
  readonly name: string;
  readonly protocols: readonly ProtocolName[];
  answer(answering: Answering): void;
}

export interface Answering {
  readonly protocol: Protocol;
  readonly texts: readonly string[];
  readonly body: Readonly<Record<string, unknown>>;
  readonly headers: IncomingMessage['headers'];
  readonly callsBefore: number;
  readonly response: ServerResponse;
  /** Says that nothing more will come, so that time may pass: a test's deadline runs out then. */
  fallSilent(): void;
}

export const EVERY: readonly ProtocolName[] = ['openai', 'http', 'ollama', 'sagemaker'];
/** Those that speak HTTP through our own network; SageMaker's errors are wrapped by AWS. */
export const PLAIN: readonly ProtocolName[] = ['openai', 'http', 'ollama'];

/** The text that some behaviours refuse, or spoil the vector of. */
export const POISON = 'canary-7d1f poison';

export type Headers = Readonly<Record<string, string>>;

export function send(
  response: ServerResponse,
  status: number,
  body: string | Buffer,
  headers: Headers = {},
): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    ...headers,
  });
  response.end(body);
}

export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Headers = {},
): void {
  send(response, status, JSON.stringify(body), headers);
}

/** The right answer. */
export function embed({ response, protocol, texts, body }: Answering, headers: Headers = {}): void {
  sendJson(response, 200, protocol.compose(protocol.vectorsOf(texts), body), headers);
}

/** Answers with this status and error, whatever was asked. */
export function refusal(
  name: string,
  protocols: readonly ProtocolName[],
  status: number,
  error: unknown,
  headers: Headers = {},
): Behaviour {
  return { name, protocols, answer: ({ response }) => sendJson(response, status, error, headers) };
}

/** The right answer, but for its vectors. */
export function spoiled(
  name: string,
  protocols: readonly ProtocolName[],
  change: (vectors: (number[] | null)[], texts: readonly string[]) => unknown[],
): Behaviour {
  return {
    name,
    protocols,
    answer: ({ response, protocol, texts, body }) =>
      sendJson(response, 200, protocol.compose(change(protocol.vectorsOf(texts), texts), body)),
  };
}
