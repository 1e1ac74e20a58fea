import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda';
import type { Hono } from 'hono';
import { handle } from 'hono/aws-lambda';
import { ServiceRefusal } from '../../core/service-refusal.ts';
import { type ClaimPaths, readIdentity, type VerifyToken } from './verify-tokens.ts';

/**
 * Numbers of the vectors of one answer of a function, at most.
 * A number takes up to 24 bytes of JSON (`-1.2345678901234567e-10,`), and Lambda lets 6 MB out
 * (6,291,556 bytes): https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
 */
export const MAX_ANSWER_NUMBERS = 250_000;

/** Below Lambda's limit by what headers take: the answer is JSON inside of JSON. */
const MAX_ANSWER_BYTES = 6_000_000 + 150_000;

/**
 * Ids that an HTTP API hands on as they were sent.
 * It decodes the path, so that `a%2Fb` arrives as two steps, and cuts it off at what was `%3F`:
 * https://github.com/middleapi/standard-server/pull/93. Blanks and controls are dropped by whoever
 * reads the address again, and a percent sign is decoded once more.
 */
export const CARRIED_IDS = /^(?!\.{1,2}$)[\p{L}\p{N}._~:@!$&'()*+,;=-]+$/u;

/** What the authorizer of an HTTP API says of a token that it let in. */
interface AuthorizedHost {
  readonly event?: {
    readonly requestContext?: {
      readonly authorizer?: { readonly jwt?: { readonly claims?: Readonly<Record<string, unknown>> } };
    };
  };
}

/**
 * Makes the check of tokens behind an HTTP API whose authorizer has verified them.
 * Claims come from what the API adds to the event, and from nowhere else: no header is read. The
 * API writes every claim as text, a list as `[a b]` and an object as `map[a:b]`. Neither names a
 * tenant, and of a list the words are the scopes.
 */
export function createGatewayTokenCheck(paths: ClaimPaths | undefined): VerifyToken {
  return async (_, host) => {
    const claims = (host as AuthorizedHost | undefined)?.event?.requestContext?.authorizer?.jwt?.claims;
    if (claims === undefined) return { fault: 'missing' };
    return readIdentity(Object.fromEntries(Object.entries(claims).map(readWritten)), paths);
  };
}

/** Reads a claim as the API writes it. An object cannot be read back, and is kept as one. */
function readWritten([name, value]: [string, unknown]): [string, unknown] {
  const text = typeof value === 'string' ? value : '';
  if (text.startsWith('map[')) return [name, {}];
  if (text.startsWith('[') && text.endsWith(']')) return [name, text.slice(1, -1).split(/[ ,]+/)];
  return [name, value];
}

export type AnswerEvent = (
  event: APIGatewayProxyEventV2,
  context: Context,
) => Promise<APIGatewayProxyStructuredResultV2>;

/**
 * Answers events of an HTTP API by the application of the service.
 * An answer that Lambda would not let out, such as hits with long columns, is refused in our words.
 */
export function answerGatewayEvents(app: Hono): AnswerEvent {
  const answer = handle(app);
  return async (event, context) => {
    if (!isPathAsSent(event))
      return answerRefusal(
        new ServiceRefusal(
          'invalid_request',
          'The address has characters that do not arrive as they are sent.',
        ),
      );
    // The types of the adapter name more than it reads.
    const result = (await answer(event as never, context as never)) as APIGatewayProxyStructuredResultV2;
    if (Buffer.byteLength(JSON.stringify(result.body ?? '')) <= MAX_ANSWER_BYTES) return result;
    return answerRefusal(
      new ServiceRefusal('batch_too_large', 'The answer is over what a function may answer: ask for less.'),
    );
  };
}

/**
 * Whether the path is that of the route which the API chose, filled with what stood in its braces.
 * Where decoding made another path of it, another item would be meant.
 */
function isPathAsSent({ routeKey, rawPath, pathParameters = {} }: APIGatewayProxyEventV2): boolean {
  const pattern = routeKey.slice(routeKey.indexOf(' ') + 1);
  if (!pattern.includes('{')) return true;
  if (!Object.values(pathParameters).every(value => CARRIED_IDS.test(value ?? ''))) return false;
  return rawPath === pattern.replaceAll(/\{(\w+)\}/g, (_, name: string) => pathParameters[name] ?? '');
}

/** An answer that does not come from the application, in the shape of those that do. */
export function answerRefusal({
  code,
  message,
  type,
  status,
}: ServiceRefusal): APIGatewayProxyStructuredResultV2 {
  return {
    statusCode: status,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ error: { code, message, type, param: null } }),
  };
}
