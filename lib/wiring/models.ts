import { readModelFolder } from '../adapters/model-folder.ts';
import { createGoldenStore } from '../adapters/sql/golden-store.ts';
import { migrate } from '../adapters/sql/migrations/migrate.ts';
import { createSystemClock } from '../adapters/system.ts';
import { createTokenizer } from '../adapters/tokenizer.ts';
import { formatPath } from '../core/config/describe-issues.ts';
import { UsageError } from '../core/errors.ts';
import { goldenKeyOf } from '../core/golden-texts.ts';
import type { ModelDefinition, Space } from '../core/model.ts';
import { composeManifest, createDigester, MANIFEST_FILE, type Published } from '../core/model-manifest.ts';
import { type CheckProblem, checkModel, type ModelCheck } from '../pipeline/check-model.ts';
import { publishModel } from '../pipeline/publish-model.ts';
import type { FolderFile } from '../ports/provider.ts';
import type { Coverage } from '../ports/report-store.ts';
import { createLocalAccess, createProviders } from './providers.ts';
import type { Workspace } from './workspace.ts';

/**
 * A check of a model.
 * Its problem names the line of the configuration that mends the problem, if there is one.
 */
export type CheckedModel = Omit<ModelCheck, 'problem'> & {
  readonly problem?: Omit<CheckProblem, 'key'> & { readonly line?: string };
};

/**
 * Calls each model of the sources once and compares its vectors with the recorded ones.
 * `aliases` restricts the check to these models. The first check of a model records its vectors.
 */
export async function checkModels(
  workspace: Workspace,
  aliases?: ReadonlySet<string>,
): Promise<readonly CheckedModel[]> {
  const { config, environment, database } = workspace;
  await migrate(database);
  const clock = createSystemClock();
  const ports = { clock, tokenizer: createTokenizer(), golden: createGoldenStore(database) };
  const checks: CheckedModel[] = [];
  const access = createLocalAccess(environment);
  const places = { file: workspace.file, variableOf: access.variableOf };
  for (const [alias, provider] of await createProviders(config, access, clock)) {
    const model = config.models[alias];
    if (model === undefined || aliases?.has(alias) === false) continue;
    const deadlineMs = (model.timeoutSeconds ?? config.limits.timeoutSeconds) * 1000;
    checks.push(nameLine(await checkModel({ ...ports, provider }, model, deadlineMs), model, places));
  }
  return checks;
}

/** Where what a model is configured by stands. */
interface Places {
  readonly file: string;
  readonly variableOf: ReturnType<typeof createLocalAccess>['variableOf'] | undefined;
}

function nameLine(
  { problem, ...check }: ModelCheck,
  model: ModelDefinition,
  { file, variableOf }: Places,
): CheckedModel {
  if (problem === undefined) return check;
  const { key, ...described } = problem;
  if (key === undefined) return { ...check, problem: described };
  const variable = key === 'baseUrl' ? variableOf?.(model) : undefined;
  if (variable !== undefined)
    return { ...check, problem: { ...described, line: `${variable}, of the environment` } };
  const path = formatPath(['models', model.alias, key]);
  const checkPath = formatPath(['models', model.alias, 'check']);
  const line = {
    baseUrl: model.baseUrl === undefined ? path : `${path} (now ${withoutQuery(model.baseUrl)})`,
    revision: `${path} (another name), or ${checkPath}: 'off' if you know better`,
  };
  const named = key === 'baseUrl' || key === 'revision' ? line[key] : path;
  return { ...check, problem: { ...described, line: `${named}, in ${file}` } };
}

/** Takes the query off an address: a query can hold a key. */
function withoutQuery(url: string): string {
  const parsed = URL.parse(url);
  return parsed === null ? 'no URL' : parsed.origin + parsed.pathname;
}

/** Seconds for which a comparison of a model's vectors counts. */
const AGREES_FOR_SECONDS = 24 * 3600;

/**
 * Refuses a run whose models no longer give the vectors that are stored.
 * Runs call this before they buy anything. A model is checked when it has work to do, has recorded
 * golden vectors, and was not compared for a day. A provider that fails is left to the run, which
 * waits and reports as it always does. `count` is asked only where a comparison is old, for it may
 * take seconds.
 * @throws UsageError where a model gives other vectors than the stored ones.
 */
export async function refuseChangedModels(
  workspace: Workspace,
  spaces: readonly Space[],
  count: () => Promise<readonly Coverage[]>,
): Promise<void> {
  const golden = createGoldenStore(workspace.database);
  const old = new Set<string>();
  for (const alias of new Set(spaces.map(({ model }) => model.alias))) {
    const model = workspace.config.models[alias];
    if (model === undefined || model.check === 'off') continue;
    const key = goldenKeyOf(model);
    const record = await golden.find(key);
    if (record !== undefined && record.ageSeconds >= AGREES_FOR_SECONDS) old.add(alias);
  }
  if (old.size === 0) return;
  const busy = (await count()).filter(({ stale, inFlight }) => stale + inFlight > 0);
  const due = new Set(busy.map(({ model }) => model).filter(alias => old.has(alias)));
  if (due.size === 0) return;
  for (const { alias, problem } of await checkModels(workspace, due)) {
    if (problem?.code === 'golden_mismatch')
      throw new UsageError(`Model "${alias}": ${problem.message}`, `The line is ${problem.line}.`);
  }
}

interface PublishRequest {
  readonly folder: string;
  readonly bucket: string;
  /** The prefix of all models of the bucket. Ends with a slash. */
  readonly basePrefix: string;
  readonly region: string | undefined;
  readonly apply: boolean;
  readonly signal: AbortSignal;
  readonly onBytes: (step: 'read' | 'sent', bytes: number, ofBytes: number) => void;
}

export type PublishedFolder = Published & {
  /** SHA-256 of the manifest, hexadecimal, which names the prefix. */
  readonly sha256: string;
  /** The prefix that the files are under, with the slash at its end. */
  readonly prefix: string;
};

/** Reads a model's folder and publishes it under the digest of its contents. */
export async function publishFolder(request: PublishRequest): Promise<PublishedFolder> {
  const { onBytes } = request;
  const files = await readModelFolder(request.folder, (bytes, ofBytes) => onBytes('read', bytes, ofBytes));
  const { text, sha256 } = composeManifest(files);
  const prefix = `${request.basePrefix}${sha256}/`;
  // The SDK takes a while to load: a folder that is refused must not wait for it.
  const { openModelBucket } = await import('../adapters/s3/model-bucket.ts');
  const { bucket: name, region } = request;
  const endpoint = process.env.AWS_ENDPOINT_URL_S3 ?? process.env.AWS_ENDPOINT_URL;
  const bucket = await openModelBucket({ bucket: name, region, endpoint });
  try {
    const published = await publishModel(bucket, prefix, [...files, describeText(MANIFEST_FILE, text)], {
      apply: request.apply,
      signal: request.signal,
      onSent: (bytes, ofBytes) => onBytes('sent', bytes, ofBytes),
    });
    return { ...published, sha256, prefix };
  } finally {
    bucket.close();
  }
}

function describeText(path: string, text: string): FolderFile {
  const body = Buffer.from(text);
  const digester = createDigester();
  digester.update(body);
  return { path, ...digester.finish(), open: () => once(body) };
}

async function* once(body: Buffer): AsyncIterable<Buffer> {
  yield body;
}
