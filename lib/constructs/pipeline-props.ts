import { Token } from 'aws-cdk-lib';
import type { IVpc, SubnetSelection } from 'aws-cdk-lib/aws-ec2';
import type { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { type ApiSection, apiSection } from '../core/config/api-schema.ts';
import { DEFAULT_STAGE_SETTINGS, type StageSettings } from '../core/config/aws-schema.ts';
import type { FreshetConfig } from '../core/config/config-schema.ts';
import type { GivenSecret } from '../core/config/leaf-schemas.ts';
import { parseConfig } from '../core/config/parse-config.ts';
import type { PipelineConfig } from '../core/config/pipeline-config.ts';
import { requireKnownModels, requireProps } from '../core/config/props-schema.ts';
import type { AlarmReceivers } from './alarm-topic.ts';
import type { EncryptionKeys } from './encryption-keys.ts';
import type { FunctionAssets } from './function-settings.ts';
import type { PipelineDatabase } from './network.ts';

type StageSchedules = Readonly<StageSettings['schedules']>;
type StageConcurrency = Readonly<StageSettings['maxConcurrency']>;

/** What an `EmbeddingPipeline` is made from. Three are needed: configuration, network, database. */
export interface EmbeddingPipelineProps {
  /**
   * What `freshet.config.ts` exports.
   * The section `aws` of the configuration is not read here: these props say where and how.
   */
  readonly config: FreshetConfig;
  /**
   * The network of the functions.
   * Private subnets of the VPC reach the database, AWS and the provider: by NAT, endpoints, or
   * IPv6.
   */
  readonly vpc: IVpc;
  readonly database: PipelineDatabase;
  /**
   * Name of the deployment in metrics, logs and reports.
   * @default dev
   */
  readonly stage?: string;
  /**
   * The subnets of the functions.
   * @default the private subnets with egress
   */
  readonly vpcSubnets?: SubnetSelection;
  /**
   * Lets the functions go out by IPv6, to a provider: SQS and Secrets Manager have IPv4 only.
   * @default false
   */
  readonly ipv6?: boolean;
  /**
   * Makes interface endpoints for what the functions call of AWS, but for S3.
   * @default false: the subnets reach AWS by NAT, or by endpoints that are there
   */
  readonly endpoints?: boolean;
  /**
   * Model alias → the secret whose string is the provider's key: its ARN, or an object with
   * `secretArn` and `secretKeyArn`, the key of KMS that encrypts it.
   * @default none; where no key is given: that of `database.secretKeyArn`
   */
  readonly providerSecrets?: Readonly<Record<string, GivenSecret>>;
  /**
   * When the schedules start `detect`: `rate(…)` or `cron(…)`, with an IANA time zone.
   * `sources` are sources with a schedule of their own for edits: name → expression.
   * `modes` name modes of the configuration, by which their ticks work.
   * @default incremental rate(5 minutes), full cron(0 3 * * ? *), timeZone UTC
   */
  readonly schedules?: Partial<Omit<StageSchedules, 'modes'>> & {
    readonly modes?: Partial<StageSchedules['modes']>;
  };
  /**
   * Environments at once: of each alias's two queues, and of `write`.
   * `embed` bounds all queues of all aliases together, in place of `fresh` and `bulk`.
   * @default fresh 4, bulk 8, write 6
   */
  readonly maxConcurrency?: Partial<StageConcurrency>;
  /**
   * The promise: a changed row is embedded within this many minutes.
   * @default 15
   */
  readonly sloMinutes?: number;
  /**
   * Whom the alarms tell, and the US dollars per day above which the budget alarm goes off.
   * @default nobody, no budget
   */
  readonly alarms?: AlarmReceivers & { readonly budgetUsd?: number | undefined };
  /**
   * Keys of KMS of your own, for what is kept outside of the database.
   * @default the keys of SQS, S3, CloudWatch Logs and Lambda
   */
  readonly encryptionKeys?: EncryptionKeys;
  /**
   * Empties the bucket of result objects when the construct is deleted, by a function of the CDK's.
   * @default false: AWS refuses to delete the bucket while objects are in it
   */
  readonly removeClaims?: boolean;
  /**
   * The inference component of SageMaker that serves a model.
   * A line of the dashboard and four of the alarms watch the component.
   * @default none
   */
  readonly inferenceComponentName?: string;
  /**
   * Serves the models and the search to clients with tokens: an HTTP API and a function behind it.
   * `issuer` and `audience` say whose tokens; `claims` where a token names its tenant and scopes.
   * @default none; with it 5 environments and 50 requests per second
   */
  readonly api?: Pick<ApiSection, 'issuer' | 'audience'> & Partial<ApiSection>;
  /**
   * How long log lines stay.
   * @default 30 days
   */
  readonly logRetention?: RetentionDays;
  /**
   * Deploys schedules and event sources switched off; what is queued stays.
   * @default false
   */
  readonly paused?: boolean;
  /**
   * The code of the functions.
   * @default bundled from the sources, or the folders that an installed package brings along
   */
  readonly assets?: FunctionAssets;
}

/** The props with their defaults, as far as more than one part is made from them. */
interface ResolvedProps {
  readonly config: PipelineConfig;
  readonly stage: string;
  readonly schedules: StageSchedules;
  readonly sloMinutes: number;
  readonly maxConcurrency: Partial<StageConcurrency>;
  readonly api: ApiSection | undefined;
}

/**
 * Checks the props of a pipeline, and fills in their defaults.
 * @param name the path of the construct, for the errors
 * @throws UsageError lists every prop at fault, or what is wrong with the configuration
 */
export function resolveProps(props: EmbeddingPipelineProps, name: string): ResolvedProps {
  requireProps(props, name, Token.isUnresolved);
  const config = parseConfig(props.config);
  requireKnownModels(props, config, name, Token.isUnresolved);
  const { schedules, sloMinutes } = DEFAULT_STAGE_SETTINGS;
  const { incremental, full, timeZone, sources, modes } = props.schedules ?? {};
  return {
    config,
    stage: props.stage ?? 'dev',
    schedules: {
      incremental: incremental ?? schedules.incremental,
      full: full ?? schedules.full,
      timeZone: timeZone ?? schedules.timeZone,
      sources: sources ?? schedules.sources,
      modes: { ...schedules.modes, ...modes },
    },
    sloMinutes: props.sloMinutes ?? sloMinutes,
    maxConcurrency: props.maxConcurrency ?? {},
    api: props.api && resolveApi(props.api),
  };
}

/** Leaves an issuer as it is that only the deployment knows, as that of a user pool of the app. */
function resolveApi(api: NonNullable<EmbeddingPipelineProps['api']>): ApiSection {
  if (!Token.isUnresolved(api.issuer)) return apiSection.parse(api);
  return { ...apiSection.parse({ ...api, issuer: 'https://issuer.invalid/' }), issuer: api.issuer };
}
