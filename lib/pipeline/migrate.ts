import { FreshetError } from '../core/errors.ts';
import type { ModelDefinition } from '../core/model.ts';
import { PROVIDERS } from '../core/providers.ts';
import { requireVectors } from '../core/reply.ts';
import type { Logger } from '../ports/process.ts';
import type { EmbeddingProvider, KeySource } from '../ports/provider.ts';
import { describeFailure, MAX_PROBE_MS, PROBE_TEXT } from './failures.ts';

export interface MigratePorts {
  /** The models that the sources name. */
  readonly models: readonly ModelDefinition[];
  /** The key source of a model; undefined: the model has no secret. */
  readonly keyOf: (modelAlias: string) => KeySource | undefined;
  /** Opens the providers, once the keys are known to be readable. */
  readonly openProviders: () => Promise<(modelAlias: string) => EmbeddingProvider>;
  readonly openDatabase: () => Promise<PreparableDatabase>;
  readonly logger: Logger;
}

export interface PreparableDatabase {
  /**
   * Brings schema, spaces and views to what this version and configuration need.
   * Nothing changes where nothing is missing.
   */
  prepare(): Promise<MigrateReport>;
  close(): Promise<void>;
}

export interface MigrateReport {
  /** Version of the schema before the migration. */
  readonly from: number;
  /** Version of the schema after the migration. */
  readonly to: number;
  readonly applied: readonly string[];
  readonly spaces: number;
}

/**
 * Does what a deployment needs before its first tick.
 * Everything that can refuse the deployment is looked at before anything is changed, because a
 * deployment that fails is rolled back and a schema is not.
 * @throws FreshetError of one sentence or two, which the deployment shows.
 */
export async function migrateDeployment(
  ports: MigratePorts,
  remainingMs: () => number,
): Promise<MigrateReport> {
  try {
    return await migrate(ports, remainingMs);
  } catch (error) {
    const refusal = toRefusal(error);
    ports.logger.error('deployment-refused', { code: refusal.code, reason: refusal.message });
    throw refusal;
  }
}

async function migrate(ports: MigratePorts, remainingMs: () => number): Promise<MigrateReport> {
  for (const { alias } of ports.models) await readKey(ports, alias);
  const database = await ports.openDatabase();
  try {
    const providers = await ports.openProviders();
    for (const model of ports.models)
      await requireProvider(ports, model, providers(model.alias), remainingMs);
    const report = await database.prepare();
    ports.logger.info('database-prepared', { ...report, applied: report.applied.join(' ') });
    return report;
  } finally {
    await database.close();
  }
}

async function readKey({ keyOf }: MigratePorts, alias: string): Promise<void> {
  try {
    await keyOf(alias)?.();
  } catch (error) {
    const { code, message } = describeFailure(error);
    throw new FreshetError(
      `The key of model ${alias} cannot be read: ${message} Check that the secret named for it ` +
        'under providerSecrets exists, in this region, and that the function may read it.',
      { failureClass: 'stop', code },
    );
  }
}

/** Milliseconds kept for the database after the probes. */
const RESERVE_MS = 30_000;
const UNREACHABLE = /^(network_|timeout$|aws_timeout$)/;

/**
 * Calls a model's provider once, to see that a deployment can use it.
 * The call shows that the function's subnets have a way to the provider, and that the provider
 * accepts key, model and dimensions. A provider that is overloaded or out of order for now has
 * answered: its failure is no reason to refuse the deployment.
 * @throws FreshetError where the model cannot be reached or cannot be used.
 */
async function requireProvider(
  { logger }: { readonly logger: Logger },
  model: ModelDefinition,
  provider: EmbeddingProvider,
  remainingMs: () => number,
): Promise<void> {
  if (PROVIDERS[model.provider].isInProcess) return;
  const deadlineMs = Math.max(1_000, Math.min(MAX_PROBE_MS, remainingMs() - RESERVE_MS));
  try {
    const reply = await provider.embed({ texts: [model.documentPrefix + PROBE_TEXT], deadlineMs });
    requireVectors(reply, model, 1);
  } catch (error) {
    const { code, message, failureClass } = describeFailure(error);
    if (UNREACHABLE.test(code)) throw unreachable(model, code);
    if (failureClass !== 'throttled' && failureClass !== 'transient')
      throw new FreshetError(`Model ${model.alias} cannot be used: ${message}`, {
        failureClass: 'stop',
        code,
      });
    logger.warn('provider-answers-with-a-failure', { model: model.alias, failureClass, code });
  }
}

function unreachable({ alias, baseUrl }: ModelDefinition, code: string): FreshetError {
  const host = URL.parse(baseUrl ?? '')?.host ?? 'its provider';
  return new FreshetError(
    `Model ${alias} cannot be reached from the function's subnets (${host}, ${code}): give them a way out, ` +
      'as a NAT gateway or IPv6 with an egress-only gateway, or a private endpoint, ' +
      'and let the security group pass it.',
    { failureClass: 'stop', code },
  );
}

/** Turns a failure into the refusal that CloudFormation shows on one line. */
function toRefusal(error: unknown): FreshetError {
  const { code, message } = describeFailure(error);
  return new FreshetError(message.replace(/\s*\n\s*/g, ' '), { failureClass: 'stop', code });
}
