import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import { HttpApi, HttpMethod, HttpStage, LogGroupLogDestination } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpJwtAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import type { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IAlias, Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { ApiSection } from '../core/config/api-schema.ts';
import { ITEM_ROUTES, NUDGE_ROUTES, REFUSED_ROUTES, SERVICE_ROUTES } from '../core/service-routes.ts';
import type { EncryptionKeys } from './encryption-keys.ts';
import { FUNCTION_SETTINGS, type FunctionAssets } from './function-settings.ts';
import { type FunctionNetwork, HandlerFunction } from './handler-function.ts';
import type { LiveFunctions } from './live-functions.ts';

interface ServiceApiProps {
  readonly settings: ApiSection;
  /** Whether clients give it texts. */
  readonly hasDocuments: boolean;
  readonly assets: FunctionAssets;
  readonly network: FunctionNetwork;
  /** The rights that its calls take: the login of the database, and the models. */
  readonly statements: readonly PolicyStatement[];
  readonly live: LiveFunctions;
  readonly logRetention: RetentionDays;
  readonly encryptionKeys: EncryptionKeys;
}

/** Addresses with the method that each one takes. */
type Routes = Readonly<Record<string, 'GET' | 'POST' | 'DELETE'>>;

/** Requests that may come at once above the rate, in seconds of it. */
const BURST_SECONDS = 2;

/**
 * What the access log tells of a request.
 * Nothing of it was written by the client: no address of hers, no path, query, header or body.
 */
const ACCESS_LOG = {
  requestId: '$context.requestId',
  requestTime: '$context.requestTime',
  routeKey: '$context.routeKey',
  status: '$context.status',
  responseLength: '$context.responseLength',
  responseLatencyMs: '$context.responseLatency',
  integrationLatencyMs: '$context.integrationLatency',
  integrationStatus: '$context.integrationStatus',
  authorizerError: '$context.authorizer.error',
};

/**
 * The embedding service of a stage: an HTTP API that asks for tokens, and a function behind it.
 * Every address asks for a token, those that `freshet serve` leaves open as well: whoever may start
 * a function takes one of its environments.
 */
export class ServiceApi extends Construct {
  readonly api: HttpApi;
  readonly function: LambdaFunction;
  readonly alias: IAlias;
  readonly logGroup: LogGroup;
  /** What clients put before `/v1`. */
  readonly url: string;

  constructor(scope: Construct, id: string, props: ServiceApiProps) {
    super(scope, id);
    const { settings, logRetention, encryptionKeys } = props;
    const service = new HandlerFunction(this, 'Service', {
      name: 'api',
      code: props.assets.codeOf('api'),
      network: props.network,
      logRetention,
      encryptionKeys,
      statements: props.statements,
      reservedEnvironments: settings.environments,
    });
    this.function = service.function;
    this.logGroup = service.logGroup;
    this.alias = props.live.add('api', service.function);
    this.api = new HttpApi(this, 'Http', {
      description: 'Freshet: embeds and searches for clients',
      createDefaultStage: false,
    });
    this.#addRoutes(settings, {
      ...{ ...SERVICE_ROUTES, ...NUDGE_ROUTES, ...REFUSED_ROUTES },
      ...(props.hasDocuments && ITEM_ROUTES),
    });
    this.url = this.#addStage(settings, logRetention, encryptionKeys);
  }

  #addRoutes({ issuer, audience }: ApiSection, routes: Routes): void {
    const authorizer = new HttpJwtAuthorizer('Tokens', issuer, { jwtAudience: [audience] });
    const integration = new HttpLambdaIntegration('Function', this.alias, {
      timeout: Duration.seconds(FUNCTION_SETTINGS.api.timeoutSeconds),
    });
    for (const [path, method] of Object.entries(routes))
      this.api.addRoutes({ path, methods: [HttpMethod[method]], integration, authorizer });
  }

  #addStage({ requestsPerSecond }: ApiSection, retention: RetentionDays, { logs }: EncryptionKeys): string {
    const accessLog = new LogGroup(this, 'AccessLogs', {
      retention,
      removalPolicy: RemovalPolicy.DESTROY,
      ...(logs !== undefined && { encryptionKey: logs }),
    });
    const stage = new HttpStage(this, 'Stage', {
      httpApi: this.api,
      stageName: '$default',
      autoDeploy: true,
      throttle: { rateLimit: requestsPerSecond, burstLimit: BURST_SECONDS * requestsPerSecond },
      accessLogSettings: {
        destination: new LogGroupLogDestination(accessLog),
        format: AccessLogFormat.custom(JSON.stringify(ACCESS_LOG)),
      },
    });
    return stage.url;
  }
}
