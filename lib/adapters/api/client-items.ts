import { type Failure, type RequestOptions, readFailure, send } from './client-requests.ts';
import type {
  ItemRequestBody,
  ItemsRequestBody,
  JobResponseBody,
  ReceiptResponseBody,
} from './item-schemas.ts';

/** Why the service did not do what was asked of an item. It holds no text. */
export class ItemError extends Error {
  override readonly name = 'ItemError';
  /** The status; 0: no answer came. */
  readonly status: number;
  readonly code: string;
  readonly retryAfterSeconds: number | undefined;

  constructor({ status, code, message, retryAfterSeconds }: Failure) {
    super(`The request failed: ${message}`);
    this.status = status;
    this.code = code;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

const TIMEOUT_MS = 10_000;

/**
 * Gives the service a text of an item, to be embedded.
 * The same item and text again is the same job; another text takes the place of the one before.
 * @throws ItemError where the service refused or did not answer
 */
export function embedItem(item: ItemRequestBody, options: RequestOptions): Promise<JobResponseBody> {
  return ask('/v1/vectors/embed', item, options, 'POST');
}

/** Gives the service texts of 1 to 100 items; their jobs come in the same order. As `embedItem`. */
export async function embedItems(
  request: ItemsRequestBody,
  options: RequestOptions,
): Promise<readonly JobResponseBody[]> {
  const { jobs } = await ask<{ readonly jobs: readonly JobResponseBody[] }>(
    '/v1/vectors/embed/batch',
    request,
    options,
    'POST',
  );
  return jobs;
}

/** Asks what became of a text; `readSearchJob` asks the same of a search. As `embedItem`. */
export function readJob(jobId: string, options: RequestOptions): Promise<JobResponseBody> {
  return ask(`/v1/jobs/${encodeURIComponent(jobId)}`, undefined, options, 'GET');
}

/**
 * Erases an item, or without `segmentId` all items of an asset, with texts and vectors.
 * The receipt is `complete` once nobody is left who could bring a vector back: `readErasure`.
 */
export function eraseItems(
  { assetId, segmentId }: { readonly assetId: string; readonly segmentId?: string | undefined },
  options: RequestOptions,
): Promise<ReceiptResponseBody> {
  const steps = [assetId, ...(segmentId === undefined ? [] : [segmentId])].map(encodeURIComponent);
  return ask(`/v1/vectors/${steps.join('/')}`, undefined, options, 'DELETE');
}

/** Asks how far an erasure is. As `embedItem`. */
export function readErasure(receiptId: string, options: RequestOptions): Promise<ReceiptResponseBody> {
  return ask(`/v1/receipts/${encodeURIComponent(receiptId)}`, undefined, options, 'GET');
}

async function ask<Answer>(
  path: string,
  body: object | undefined,
  options: RequestOptions,
  method: string,
): Promise<Answer> {
  const { timeoutMs = TIMEOUT_MS } = options;
  const { response, json } = await send(path, body, { ...options, timeoutMs }, method);
  if (response?.ok === true && typeof json === 'object' && json !== null) return json as Answer;
  throw new ItemError(readFailure(response, json));
}
