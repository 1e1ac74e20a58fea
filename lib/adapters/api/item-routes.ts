import type { Context, Hono } from 'hono';
import type * as z from 'zod';
import { FreshetError, UsageError } from '../../core/errors.ts';
import { ServiceRefusal } from '../../core/service-refusal.ts';
import type { DocumentJob, DocumentService, ErasureReceipt, SubmittedItem } from '../../ports/documents.ts';
import type { Logger } from '../../ports/process.ts';
import type { ApiItems } from './create-app.ts';
import { readJson, requireScope } from './guard-requests.ts';
import {
  isItemId,
  itemRequest,
  itemsRequest,
  type JobResponseBody,
  type ReceiptResponseBody,
} from './item-schemas.ts';
import { readBody, refuseField } from './read-body.ts';

import type { TokenIdentity } from './verify-tokens.ts';

interface ItemPorts {
  readonly documents: DocumentService;
  readonly logger: Logger;
}

interface ItemSettings {
  readonly maxBodyBytes: number;
  /** Days for which result objects rest. Undefined: no object outlives its run. */
  readonly resultDays: number | undefined;
  /** Ids that arrive in an address as they were sent. Undefined: every id does. */
  readonly carriedIds?: RegExp | undefined;
}

const RETRY_SECONDS = 5;

/** Makes what answers clients that give their texts to the service. */
export function createItems(ports: ItemPorts, settings: ItemSettings): ApiItems {
  return { mount: (app, identify) => mountItems(app, { ...ports, identify }, settings) };
}

interface MountedPorts extends ItemPorts {
  readonly identify: (request: Request) => TokenIdentity | undefined;
}

function mountItems(app: Hono, ports: MountedPorts, settings: ItemSettings): void {
  /** The tenant is that of the token, and of nothing in the request. */
  const asTenant = async <Answer>(
    { req }: Context,
    ask: (documents: DocumentService, tenant: string) => Promise<Answer>,
  ): Promise<Answer> => {
    const { documents, logger, identify } = ports;
    const tenant = identify(req.raw)?.tenant;
    if (tenant === undefined)
      throw new ServiceRefusal('forbidden', 'Documents belong to tenants, and no token names one.');
    return ask(documents, tenant).catch((error: unknown) => {
      if (!(error instanceof UsageError || error instanceof FreshetError)) throw error;
      // What a configuration or a database lacks is for whoever runs the service.
      logger.error('documents-failed', { reason: error.message });
      throw new ServiceRefusal(
        'not_ready',
        'Documents cannot be taken now: the log of the service says why.',
        { retryAfterSeconds: RETRY_SECONDS },
      );
    });
  };

  app.post('/v1/vectors/embed', async context => {
    const body = readBody(itemRequest, await readJson(context.req.raw, settings.maxBodyBytes));
    requireCarried(body, '', settings);
    const [job] = await asTenant(context, (documents, tenant) =>
      documents.submit(tenant, [toItem(body)], body.model, (_, field) => field),
    );
    return context.json(toJobBody(job!), 202);
  });
  app.post('/v1/vectors/embed/batch', async context => {
    const { items, model } = readBody(itemsRequest, await readJson(context.req.raw, settings.maxBodyBytes));
    for (const [place, item] of items.entries()) requireCarried(item, `items[${place}].`, settings);
    const jobs = await asTenant(context, (documents, tenant) =>
      documents.submit(tenant, items.map(toItem), model),
    );
    return context.json({ jobs: jobs.map(toJobBody) }, 202);
  });
  app.get('/v1/jobs/:job_id', async context => {
    const id = readId(context, 'job_id', settings);
    const identity = ports.identify(context.req.raw);
    if (identity !== undefined) requireScope(identity, ['write']);
    return context.json(
      toJobBody(await asTenant(context, (documents, tenant) => documents.findJob(tenant, id))),
    );
  });
  app.get('/v1/receipts/:receipt_id', async context => {
    const id = readId(context, 'receipt_id', settings);
    const receipt = await asTenant(context, (documents, tenant) => documents.findReceipt(tenant, id));
    return context.json(toReceiptBody(receipt, settings));
  });
  app.delete('/v1/vectors/:asset_id', async context => {
    const asset = readId(context, 'asset_id', settings);
    const receipt = await asTenant(context, (documents, tenant) => documents.erase(tenant, asset, undefined));
    return context.json(toReceiptBody(receipt, settings), 202);
  });
  app.delete('/v1/vectors/:asset_id/:segment_id', async context => {
    const asset = readId(context, 'asset_id', settings);
    const segment = readId(context, 'segment_id', settings);
    const receipt = await asTenant(context, (documents, tenant) => documents.erase(tenant, asset, segment));
    return context.json(toReceiptBody(receipt, settings), 202);
  });
}

const CARRIED =
  "expected letters, digits and any of . _ ~ : @ ! $ & ' ( ) * + , ; = -, which an address here carries";

/** An id of an address that no item can have is that of no item. */
function readId({ req }: Context, name: string, { carriedIds }: ItemSettings): string {
  const id = req.param(name) ?? '';
  if (!isItemId(id)) throw new ServiceRefusal('not_found', 'There is no such item, job or receipt.');
  if (carriedIds?.test(id) === false) throw refuseField(name, CARRIED);
  return id;
}

/** Refuses an item that nobody could erase: its id would arrive as another one. */
function requireCarried(
  item: Pick<ItemBody, 'asset_id' | 'segment_id'>,
  at: string,
  { carriedIds }: ItemSettings,
): void {
  for (const name of ['asset_id', 'segment_id'] as const)
    if (carriedIds?.test(item[name]) === false) throw refuseField(`${at}${name}`, CARRIED);
}

type ItemBody = Pick<z.output<typeof itemRequest>, 'asset_id' | 'segment_id' | 'text' | 'metadata'>;

function toItem({ asset_id: assetId, segment_id: segmentId, text, metadata }: ItemBody): SubmittedItem {
  return { assetId, segmentId, text, metadata };
}

const PROGRESS = { pending: 0, running: 0.5, succeeded: 1, failed: 1, superseded: 1 } as const;

function toJobBody({ jobId, assetId, segmentId, model, status, code }: DocumentJob): JobResponseBody {
  return {
    ...{ job_id: jobId, asset_id: assetId, segment_id: segmentId },
    ...{ model, status, progress: PROGRESS[status], code },
  };
}

const DAY_MS = 86_400_000;

/** Beside what was deleted, a receipt says what ends by itself, and what somebody else holds. */
function toReceiptBody(receipt: ErasureReceipt, { resultDays }: ItemSettings): ReceiptResponseBody {
  const { receiptId, assetId, segmentId, status, vectors, requestedAt, completedAt } = receipt;
  const until =
    resultDays === undefined
      ? undefined
      : new Date(Date.parse(requestedAt) + resultDays * DAY_MS).toISOString();
  return {
    ...{ receipt_id: receiptId, asset_id: assetId, segment_id: segmentId },
    ...{ status, vectors, requested_at: requestedAt, completed_at: completedAt },
    remains: [
      ...(until === undefined ? [] : [{ what: 'result_objects' as const, id: null, until }]),
      ...receipt.providerBatches.map(id => ({ what: 'provider_batch' as const, id, until: null })),
    ],
  };
}
