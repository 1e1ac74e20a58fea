import { fingerprintDocument, nameJob } from '../../core/documents.ts';
import { failureOfOutcome } from '../../core/outcomes.ts';
import type { SuggestWord } from '../../core/search-filter.ts';
import { ServiceRefusal } from '../../core/service-refusal.ts';
import { cleanText, isBlank } from '../../core/text.ts';
import type {
  DocumentJob,
  DocumentService,
  DocumentStore,
  JobState,
  StoredItem,
  SubmittedItem,
} from '../../ports/documents.ts';

interface DocumentPorts {
  readonly store: DocumentStore;
  /** Aliases of the models of the documents; the first one is that of who names none. */
  readonly models: readonly string[];
  /** Keys of the metadata by which searches filter, with the type of each. */
  readonly filters: readonly { readonly key: string; readonly type: string }[];
  /** Whether texts stay after they were embedded. */
  readonly keepsText: boolean;
  readonly suggest: SuggestWord;
  /** Makes those look soon who embed the texts. It never rejects. */
  readonly nudge: () => void | Promise<void>;
}

/** Makes what clients do with the texts that they give to the service. */
export function createDocumentService(ports: DocumentPorts): DocumentService {
  const { store } = ports;
  const sweep = async () => {
    await store.completeErasures();
    if (!ports.keepsText) await store.dropTexts();
  };
  return {
    async submit(tenant, items, asked, fieldOf = (place, field) => `items[${place}].${field}`) {
      const model = chooseModel(ports, asked);
      const stored = items.map((item, place) =>
        toStored(ports, { tenant, model, item, nameField: field => fieldOf(place, field) }),
      );
      requireDifferentItems(stored);
      await store.write(tenant, model, stored);
      await ports.nudge();
      const jobs = await readEach(store, tenant, stored);
      return stored.map(({ jobId }) => toJob(jobs.get(jobId) ?? refuseUnknown('job')));
    },
    async findJob(tenant, jobId) {
      await sweep();
      const [job] = await store.readJobs(tenant, [jobId]);
      return toJob(job ?? refuseUnknown('job'));
    },
    async erase(tenant, assetId, segmentId) {
      const receiptId = await store.erase(tenant, assetId, segmentId);
      const receipt = receiptId === undefined ? undefined : await store.readReceipt(tenant, receiptId);
      return receipt ?? refuseUnknown('item');
    },
    async findReceipt(tenant, receiptId) {
      await sweep();
      return (await store.readReceipt(tenant, receiptId)) ?? refuseUnknown('receipt');
    },
  };
}

/** What another tenant has and what nobody has is refused in the same words. */
function refuseUnknown(what: 'job' | 'item' | 'receipt'): never {
  throw new ServiceRefusal('not_found', `There is no such ${what}.`);
}

function chooseModel({ models, suggest }: DocumentPorts, asked: string | undefined): string {
  const [first = ''] = models;
  if (asked === undefined) return first;
  if (models.includes(asked)) return asked;
  throw new ServiceRefusal(
    'model_not_found',
    `model: is no model of the documents${suggest(asked, models)} (known: ${models.join(', ')})`,
    { param: 'model' },
  );
}

interface Submitted {
  readonly tenant: string;
  readonly model: string;
  readonly item: SubmittedItem;
  /** Names a field of the item as the request does. */
  readonly nameField: (field: string) => string;
}

function toStored(ports: DocumentPorts, { tenant, model, item, nameField }: Submitted): StoredItem {
  const text = cleanText(item.text);
  if (isBlank(text)) throw refuseField(nameField('text'), 'shows nothing: give a text, or delete the item');
  requireMetadata(ports, item.metadata, nameField('metadata'));
  const { assetId, segmentId, metadata } = item;
  const textHash = fingerprintDocument(tenant, text);
  const jobId = nameJob({ tenant, assetId, segmentId, textHash, model });
  return { assetId, segmentId, text, metadata, textHash, jobId };
}

/** Values by which searches filter must be of their type: others would never be found. */
function requireMetadata({ filters }: DocumentPorts, metadata: object, at: string): void {
  if (!isStorable(metadata, 0))
    throw refuseField(at, 'expected JSON at most 20 levels deep, without NUL or half a character');
  for (const { key, type } of filters) {
    const name = key.slice('metadata.'.length);
    const value: unknown = Object.hasOwn(metadata, name) ? metadata[name as keyof object] : null;
    const found = typeof value === 'string' ? 'text' : typeof value;
    if (value !== null && found !== type)
      throw refuseField(`${at}.${name}`, `expected a value of type ${type}, by which searches filter`);
  }
}

const MAX_DEPTH = 20;

/** Whether PostgreSQL takes the value as `jsonb`. */
function isStorable(value: unknown, depth: number): boolean {
  if (typeof value === 'string') return value.isWellFormed() && !value.includes('\0');
  if (typeof value !== 'object' || value === null) return true;
  if (depth >= MAX_DEPTH) return false;
  return Object.entries(value).every(([key, each]) => isStorable(key, 0) && isStorable(each, depth + 1));
}

function requireDifferentItems(items: readonly StoredItem[]): void {
  const seen = new Map<string, number>();
  for (const [place, { assetId, segmentId }] of items.entries()) {
    const key = JSON.stringify([assetId, segmentId]);
    const first = seen.get(key);
    if (first !== undefined)
      throw refuseField(`items[${place}]`, `is the item of items[${first}]: give each item once`);
    seen.set(key, place);
  }
}

async function readEach(
  store: DocumentStore,
  tenant: string,
  items: readonly StoredItem[],
): Promise<ReadonlyMap<string, JobState>> {
  const jobs = await store.readJobs(
    tenant,
    items.map(({ jobId }) => jobId),
  );
  return new Map(jobs.map(job => [job.jobId, job]));
}

function toJob({ isCurrent, isTaken, outcome, ...job }: JobState): DocumentJob {
  if (!isCurrent) return { ...job, status: 'superseded', code: null };
  if (outcome === null) return { ...job, status: isTaken ? 'running' : 'pending', code: null };
  if (outcome === 'embedded') return { ...job, status: 'succeeded', code: null };
  return {
    ...job,
    status: 'failed',
    code: failureOfOutcome(outcome)?.code ?? outcome.replace(/^excluded:/, ''),
  };
}

function refuseField(field: string, message: string): ServiceRefusal {
  return new ServiceRefusal('invalid_request', `${field}: ${message}`, { param: field });
}
