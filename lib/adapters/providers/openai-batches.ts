import type { OpenAI } from 'openai';
import { FreshetError } from '../../core/errors.ts';
import { parseJson } from '../../core/messages.ts';
import type { ModelDefinition } from '../../core/model.ts';
import { PROVIDERS } from '../../core/providers.ts';
import type { BatchLine, BatchProvider, BatchStanding, BatchText } from '../../ports/batches.ts';
import type { Clock } from '../../ports/process.ts';
import { checkVersionedUrl } from '../network/addresses.ts';
import type { Network } from '../network/open-network.ts';
import { type OpenAiAccess, readEmbeddings } from './openai.ts';
import { openBatchTransport, unreadableAnswer } from './openai-batch-transport.ts';

/**
 * What one batch takes: OpenAI takes 50,000 texts and 200 MB.
 * The file lies in memory while it goes up, and a function has little of it.
 */
const LIMITS = { maxTexts: 50_000, maxBytes: 48 * 1024 * 1024 };
/** The key of a batch's metadata that holds our id. */
const MARK = 'freshet_batch';
/** Seconds that the service keeps files that nobody deletes: texts do not stay for ever. */
const KEPT_SECONDS = 14 * 86_400;
/** Batches and files that are searched for an id, newest first. */
const SEARCHED = 500;

/**
 * Makes the batch service of OpenAI's API, or of a server that speaks it.
 * The package `openai` builds the requests and reads the answers (`openai-batch-transport.ts`).
 * @throws UsageError for an address that cannot be used
 */
export function createOpenAiBatches(
  model: ModelDefinition,
  access: OpenAiAccess,
  network: Network,
  clock: Clock,
): BatchProvider {
  const { baseUrl } = checkVersionedUrl(access.baseUrl ?? model.baseUrl ?? PROVIDERS.openai.url ?? '', model);
  const { ask, readFile } = openBatchTransport(baseUrl, access.key, network, clock);
  return {
    limits: LIMITS,
    async upload(batchId, texts, deadlineMs) {
      const { toFile } = await import('openai');
      const file = await toFile(composeFile(model, texts), `${MARK}-${batchId}.jsonl`);
      const expires_after = { anchor: 'created_at', seconds: KEPT_SECONDS } as const;
      const { id } = await ask(deadlineMs, (client, options) =>
        client.files.create({ file, purpose: 'batch', expires_after }, options),
      );
      return requireId(id);
    },
    async create(batchId, fileId, deadlineMs) {
      const { id } = await ask(deadlineMs, (client, options) =>
        client.batches.create(
          {
            input_file_id: fileId,
            endpoint: '/v1/embeddings',
            completion_window: '24h',
            metadata: { [MARK]: batchId },
            output_expires_after: { anchor: 'created_at', seconds: KEPT_SECONDS },
          },
          options,
        ),
      );
      return requireId(id);
    },
    find: (batchId, deadlineMs) =>
      ask(deadlineMs, async (client, options) => {
        let searched = 0;
        for await (const batch of client.batches.list({ limit: 100 }, options)) {
          if (batch.metadata?.[MARK] === batchId) return batch.id;
          searched += 1;
          if (searched >= SEARCHED) break;
        }
        return undefined;
      }),
    findFiles: (batchId, deadlineMs) =>
      ask(deadlineMs, async (client, options) => {
        const found: string[] = [];
        let searched = 0;
        for await (const file of client.files.list({ purpose: 'batch', limit: 1000 }, options)) {
          if (file.filename === `${MARK}-${batchId}.jsonl`) found.push(file.id);
          searched += 1;
          if (searched >= 10 * SEARCHED) break;
        }
        return found;
      }),
    async poll(providerBatchId, deadlineMs) {
      const batch = await ask(deadlineMs, (client, options) =>
        client.batches.retrieve(providerBatchId, options),
      );
      return readStanding(batch);
    },
    async cancel(providerBatchId, deadlineMs) {
      await ask(deadlineMs, (client, options) => client.batches.cancel(providerBatchId, options));
    },
    async *readLines(fileId, deadlineMs) {
      for await (const bytes of readFile(fileId, deadlineMs)) {
        const line = readLine(bytes);
        if (line) yield line;
      }
    },
    async removeFile(fileId, deadlineMs) {
      try {
        await ask(deadlineMs, (client, options) => client.files.delete(fileId, options));
      } catch (error) {
        if (!(error instanceof FreshetError && isGone(error))) throw error;
      }
    },
  };
}

/** Whether the service has no such file: somebody deleted it before. */
const isGone = ({ code }: FreshetError) => /(not_found|_404)$/.test(code);

/** Writes the lines of a batch: one request of one text each, so that each is proven by itself. */
function composeFile(model: ModelDefinition, texts: readonly BatchText[]): Buffer {
  const { modelId, extraBody, sendDimensions, dimensions, encodingFormat = 'base64' } = model;
  const fields = {
    ...extraBody,
    model: modelId,
    ...(encodingFormat === 'omit' ? {} : { encoding_format: encodingFormat }),
    ...(sendDimensions ? { dimensions } : {}),
  };
  const lines = texts.map(({ contentHash, text }) =>
    JSON.stringify({
      custom_id: contentHash,
      method: 'POST',
      url: '/v1/embeddings',
      body: { ...fields, input: text },
    }),
  );
  return Buffer.from(`${lines.join('\n')}\n`);
}

const ENDED = ['completed', 'expired', 'cancelled', 'failed'] as const;

/**
 * Reads what is used of a batch. Ids of files may be missing, null or empty; none of them counts.
 */
function readStanding(batch: OpenAI.Batch): BatchStanding {
  const { status, output_file_id, error_file_id, errors, request_counts } = Object(batch) as OpenAI.Batch;
  const state = ENDED.find(ended => ended === status) ?? 'running';
  const code = errors?.data?.[0]?.code ?? undefined;
  const completed = request_counts?.completed;
  return {
    state,
    code: code !== undefined && /^[a-z_]{3,64}$/.test(code) ? code : undefined,
    completed: typeof completed === 'number' && Number.isSafeInteger(completed) ? completed : undefined,
    resultFileIds: [output_file_id, error_file_id].flatMap(id => (id ? [id] : [])),
  };
}

/**
 * Reads one line; undefined: it is blank.
 * A line of a text that was not embedded has no reply. What is no line of results at all means that
 * the file broke off or is another one.
 * @throws FreshetError `invalid_reply`
 */
function readLine(bytes: Buffer): BatchLine | undefined {
  const text = bytes.toString('utf8').trim();
  if (text === '') return undefined;
  const { custom_id: contentHash, response } = Object(parseJson(text)) as Record<string, unknown>;
  if (typeof contentHash !== 'string') throw unreadableAnswer();
  const { status_code, body, request_id } = Object(response) as Record<string, unknown>;
  if (status_code !== 200) return { contentHash, reply: undefined };
  const reply = readEmbeddings(Object(body) as Record<string, unknown>, new Map());
  const isId = typeof request_id === 'string' && /^[\w-]{1,80}$/.test(request_id);
  return { contentHash, reply: reply && { ...reply, requestId: isId ? request_id : undefined } };
}

/** Ids go into addresses and into the database: what is no id is no answer. */
function requireId(id: unknown): string {
  if (typeof id === 'string' && /^[\w-]{1,128}$/.test(id)) return id;
  throw unreadableAnswer();
}
