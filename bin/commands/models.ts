import { listModels } from '../../lib/core/config/models.ts';
import { UsageError } from '../../lib/core/errors.ts';
import { FRESHET } from '../../lib/core/own-command.ts';
import { formatBytes } from '../../lib/core/quantities.ts';
import {
  type CheckedModel,
  checkModels,
  type PublishedFolder,
  publishFolder,
} from '../../lib/wiring/models.ts';
import { requireProviderAccess } from '../../lib/wiring/providers.ts';
import { loadConfig, withWorkspace } from '../../lib/wiring/workspace.ts';
import { formatChecks, formatModels } from '../terminal/formats.ts';
import { createByteMeter } from '../terminal/terminal.ts';
import { type CommandBody, placeFlags, workspaceRequest } from './command.ts';
import type { HereCommand } from './table.ts';

type Models = HereCommand<'models'>;

export const modelsCommand: CommandBody<Models> = {
  run(context) {
    const [word, ...others] = context.positionals;
    if (word === 'publish' && others.length === 0) return publish(context);
    // The command has no other flags of its own.
    for (const flag of Object.keys(context.flags))
      if (!Object.hasOwn(placeFlags.here, flag))
        throw new UsageError(`--${flag} is for models publish alone.`);
    if (word === undefined) return list(context);
    if (word === 'check' && others.length === 0) return check(context);
    throw new UsageError(
      `models takes no argument, check or publish, got ${JSON.stringify(context.positionals.join(' '))}.`,
      `${FRESHET} models check`,
    );
  },
};

async function list({ flags, terminal }: Models): Promise<number> {
  const { config } = await loadConfig(flags.config, process.cwd(), process.env);
  const models = listModels(config);
  terminal.result({ models });
  for (const line of formatModels(models)) terminal.line(line);
  return 0;
}

async function check(context: Models): Promise<number> {
  const { terminal } = context;
  const request = { ...workspaceRequest(context, { create: true }), before: requireProviderAccess };
  return withWorkspace(request, async workspace => {
    const checks = await checkModels(workspace);
    const problems = checks.flatMap(({ problem }) => problem ?? []);
    terminal.result({ ok: problems.length === 0, models: checks });
    for (const line of formatChecks(checks)) terminal.line(line);
    return exitCodeOf(problems);
  });
}

/** The exit code: 2 where a line of the configuration mends it, 1 where the provider must. */
function exitCodeOf(problems: readonly NonNullable<CheckedModel['problem']>[]): number {
  if (problems.length === 0) return 0;
  return problems.every(({ line }) => line !== undefined) ? 2 : 1;
}

const PROGRESS_EVERY_MS = 5_000;

/** Publishes a model. After an interruption the next call sends what is missing. */
async function publish(context: Models): Promise<number> {
  try {
    return await publishAs(context);
  } catch (error) {
    if (!context.signal.aborted) throw error;
    context.terminal.endProgress();
    context.terminal.note('Interrupted. The same command goes on with what is missing.');
    return 130;
  }
}

async function publishAs({ flags, terminal, signal }: Models): Promise<number> {
  const { alias, from: folder, bucket, region, apply = false } = flags;
  if (alias === undefined || folder === undefined || bucket === undefined)
    throw new UsageError(
      'models publish needs an alias, a folder and a bucket.',
      `${FRESHET} models publish --alias e5 --from ./multilingual-e5-base --bucket my-models`,
    );
  const meters = { read: createByteMeter(Date.now), sent: createByteMeter(Date.now) };
  const steps = { read: 'Reading', sent: 'Sending' };
  const published = await publishFolder({
    folder,
    bucket,
    basePrefix: readPrefix(flags.prefix ?? 'models/'),
    region,
    apply,
    signal,
    onBytes: (step, bytes, ofBytes) =>
      terminal.progress(`${steps[step]} ${meters[step](bytes, ofBytes)}`, PROGRESS_EVERY_MS),
  });
  terminal.endProgress();
  const configuration = composeConfiguration(alias, bucket, published);
  terminal.result({ alias, bucket, applied: apply, ...published, configuration });
  tell(terminal, bucket, published, apply);
  for (const line of configuration) terminal.line(line);
  return 0;
}

function tell(
  terminal: Models['terminal'],
  bucket: string,
  { files, bytes, missingFiles, missingBytes, prefix }: PublishedFolder,
  applied: boolean,
): void {
  terminal.line(`${files} files, ${formatBytes(bytes)}, belong to s3://${bucket}/${prefix}`);
  if (missingFiles === 0) terminal.line('All of them are there, with the right checksums.');
  else if (applied)
    terminal.line(
      `${missingFiles} of them, ${formatBytes(missingBytes)}, were sent; S3 holds each with the right ` +
        'checksum.',
    );
  else
    terminal.line(
      `${missingFiles} of them, ${formatBytes(missingBytes)}, would be sent. Add --apply to send them.`,
    );
}

function composeConfiguration(alias: string, bucket: string, { prefix, sha256 }: PublishedFolder): string[] {
  const name = `freshet-${alias}`.replaceAll(/[^a-zA-Z0-9]+/g, '-').replace(/-$/, '');
  return [
    `models.${alias}: { provider: 'sagemaker', revision: '${sha256}', endpointName: '${name}', ` +
      `inferenceComponentName: '${name}', … }`,
    `aws.stages.<stage>.gpu: { model: '${alias}', modelBucket: '${bucket}', modelPrefix: '${prefix}' }`,
  ];
}

/**
 * Reads `--prefix`, which ends with a slash afterwards.
 * @throws UsageError for what the configuration would not take as the start of `modelPrefix`
 */
function readPrefix(given: string): string {
  const prefix = given.replace(/\/*$/, '/');
  if (/^(\w[\w.-]*\/)+$/.test(prefix)) return prefix;
  throw new UsageError(`--prefix ${JSON.stringify(given)}: expected names with slashes, such as models/.`);
}
