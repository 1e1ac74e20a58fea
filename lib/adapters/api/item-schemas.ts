import * as z from 'zod';

/** Ids stand in addresses and in a key of the database. */
const id = z
  .string()
  .min(1)
  .max(200)
  .refine(value => value.isWellFormed() && !value.includes('\0'), {
    error: 'expected 1 to 200 characters, without NUL',
  });

const item = {
  asset_id: id.meta({ description: 'What the text is a part of, as a file or a page.' }),
  segment_id: id.meta({ description: 'Which part of the asset it is.' }),
  text: z.string().min(1).max(1_000_000),
  metadata: z
    .record(z.string().max(200), z.unknown())
    .default({})
    .meta({ description: 'An object of JSON, which hits show and filters may name.' }),
};

const model = z
  .string()
  .min(1)
  .max(200)
  .optional()
  .meta({ description: 'One of the models of the documents. Left out: the first one.' });

export const itemRequest = z.strictObject({ ...item, model });

export const itemsRequest = z.strictObject({
  items: z.array(z.strictObject(item)).min(1).max(100),
  model,
});

export const jobResponse = z.object({
  job_id: z.string(),
  asset_id: z.string(),
  segment_id: z.string(),
  model: z.string(),
  status: z
    .enum(['pending', 'running', 'succeeded', 'failed', 'superseded'])
    .meta({ description: 'superseded: the item has another text now.' }),
  progress: z.number().min(0).max(1),
  code: z.union([z.string(), z.null()]).meta({ description: 'Why it failed.' }),
});

export const jobsResponse = z.object({ jobs: z.array(jobResponse) });

export const receiptResponse = z.object({
  receipt_id: z.string(),
  asset_id: z.string(),
  segment_id: z.union([z.string(), z.null()]).meta({ description: 'null: all segments of the asset.' }),
  status: z
    .enum(['pending', 'complete'])
    .meta({ description: 'complete: nobody is left who could bring a vector back.' }),
  vectors: z.int().meta({ description: 'Vectors that were deleted.' }),
  requested_at: z.string(),
  completed_at: z.union([z.string(), z.null()]),
  remains: z
    .array(
      z.object({
        what: z.enum(['result_objects', 'provider_batch']),
        id: z.union([z.string(), z.null()]),
        until: z.union([z.string(), z.null()]),
      }),
    )
    .meta({ description: 'What may still hold something of the items, and until when.' }),
});

export type ItemRequestBody = z.input<typeof itemRequest>;
export type ItemsRequestBody = z.input<typeof itemsRequest>;
export type JobResponseBody = z.output<typeof jobResponse>;
export type ReceiptResponseBody = z.output<typeof receiptResponse>;

/** The ids of an address are held to what the ids of a body are. */
export function isItemId(value: string): boolean {
  return id.safeParse(value).success;
}
