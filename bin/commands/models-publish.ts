import { UsageError } from '../../lib/core/errors.ts';
import { type PublishedFolder, publishFolder } from '../../lib/wiring/models.ts';
import { createByteMeter, formatBytes } from '../terminal/byte-meter.ts';
import { switchFlag, textFlag } from '../terminal/flag.ts';
import type { Flags, FlagValues } from '../terminal/read-flags.ts';
import type { CommandContext } from './command.ts';

/** Of `models publish` alone. */
export const publishFlags = {
  alias: textFlag('NAME', 'publish: alias that the printed configuration gives the model'),
  from: textFlag('FOLDER', 'publish: the model as it was downloaded from the hub'),
  bucket: textFlag('NAME', 'publish: bucket to publish into'),
  prefix: textFlag('PREFIX', 'publish: where in the bucket (models/)'),
  region: textFlag('NAME', 'publish: region of the bucket instead of AWS_REGION or the profile’s'),
  apply: switchFlag('publish: do it; without this flag the command only says what it would do'),
} as const satisfies Flags;

type Context = Pick<CommandContext, 'terminal' | 'signal'> & {
  readonly flags: FlagValues<typeof publishFlags>;
};

const PROGRESS_EVERY_MS = 5_000;

/** What was sent before an interruption stays; the next call sends the rest. */
export async function publish(context: Context): Promise<number> {
  try {
    return await publishAs(context);
  } catch (error) {
    if (!context.signal.aborted) throw error;
    context.terminal.endProgress();
    context.terminal.note('Interrupted. The same command goes on with what is missing.');
    return 130;
  }
}

async function publishAs({ flags, terminal, signal }: Context): Promise<number> {
  const { alias, from: folder, bucket, region, apply = false } = flags;
  if (alias === undefined || folder === undefined || bucket === undefined)
    throw new UsageError(
      'models publish needs an alias, a folder and a bucket.',
      'npm run freshet -- models publish --alias e5 --from ./multilingual-e5-base --bucket my-models',
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
  terminal: Context['terminal'],
  bucket: string,
  { files, bytes, missingFiles, missingBytes, prefix }: PublishedFolder,
  applied: boolean,
): void {
  terminal.line(`${files} files, ${formatBytes(bytes)}, belong to s3://${bucket}/${prefix}`);
  if (missingFiles === 0) terminal.line('All of them are there, with the right checksums.');
  else if (applied)
    terminal.line(
      `${missingFiles} of them, ${formatBytes(missingBytes)}, were sent; S3 holds each with the right checksum.`,
    );
  else
    terminal.line(
      `${missingFiles} of them, ${formatBytes(missingBytes)}, would be sent. Add --apply to send them.`,
    );
}

function composeConfiguration(alias: string, bucket: string, { prefix, sha256 }: PublishedFolder): string[] {
  const name = `freshet-${alias}`.replaceAll(/[^a-zA-Z0-9]+/g, '-').replace(/-$/, '');
  return [
    `models.${alias}: { provider: 'sagemaker', revision: '${sha256}', endpointName: '${name}', inferenceComponentName: '${name}', … }`,
    `aws.stages.<stage>.gpu: { model: '${alias}', modelBucket: '${bucket}', modelPrefix: '${prefix}' }`,
  ];
}

/** @throws UsageError for what the configuration would not take as the start of `modelPrefix`. */
function readPrefix(given: string): string {
  const prefix = given.replace(/\/*$/, '/');
  if (/^(\w[\w.-]*\/)+$/.test(prefix)) return prefix;
  throw new UsageError(`--prefix ${JSON.stringify(given)}: expected names with slashes, such as models/.`);
}
