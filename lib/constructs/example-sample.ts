import { Stack } from 'aws-cdk-lib';
import { type IVpc, Peer, Port, SecurityGroup, SubnetType } from 'aws-cdk-lib/aws-ec2';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { FreshetConfig } from '../core/config/config-schema.ts';
import type { SampleSettings } from '../core/config/sample-settings.ts';
import { bundleFunctions } from './bundle-functions.ts';
import { secretStatements } from './database-access.ts';
import { DeploymentTrigger } from './deployment-trigger.ts';
import type { FunctionAssets } from './function-assets.ts';
import { FUNCTION_SETTINGS } from './function-settings.ts';
import { PipelineFunction } from './pipeline-function.ts';

export interface ExampleSampleProps {
  readonly config: FreshetConfig;
  readonly stageName: string;
  readonly vpc: IVpc;
  readonly database: { readonly host: string; readonly port: number; readonly name: string };
  /** The security group of the database, which gets a rule that lets the function in. */
  readonly securityGroup: SecurityGroup;
  readonly ownerSecretArn: string;
  readonly pipelineSecretArn: string;
  readonly logRetention: RetentionDays;
  /** What must stand before the sample can be loaded. */
  readonly after: readonly Construct[];
  readonly assets?: FunctionAssets;
}

const HTTPS = 443;

/**
 * The function that loads the sample during the deployment and makes the pipeline's role.
 * Later the function edits rows for `npm run smoke`.
 */
export class ExampleSample extends Construct {
  readonly function: LambdaFunction;

  constructor(scope: Construct, id: string, props: ExampleSampleProps) {
    super(scope, id);
    const { vpc, database, ownerSecretArn, pipelineSecretArn } = props;
    const group = new SecurityGroup(this, 'SecurityGroup', {
      vpc,
      description: 'The function that loads the sample: to the database and to Secrets Manager',
      allowAllOutbound: false,
    });
    group.addEgressRule(props.securityGroup, Port.tcp(database.port), 'the database');
    group.addEgressRule(Peer.anyIpv4(), Port.tcp(HTTPS), 'Secrets Manager');
    props.securityGroup.addIngressRule(group, Port.tcp(database.port), 'the function that loads the sample');
    const { function: sample } = new PipelineFunction(this, 'Load', {
      name: 'sample',
      code: (props.assets ?? bundleFunctions(props.config)).codeOf('sample'),
      network: {
        vpc,
        vpcSubnets: { subnetType: SubnetType.PRIVATE_WITH_EGRESS },
        securityGroup: group,
        ipv6: false,
      },
      logRetention: props.logRetention,
      statements: secretStatements(this, [ownerSecretArn, pipelineSecretArn], undefined),
    });
    const settings: SampleSettings = {
      stage: props.stageName,
      region: Stack.of(this).region,
      ...database,
      ownerSecretArn,
      pipelineSecretArn,
    };
    sample.addEnvironment('FRESHET_SAMPLE', Stack.of(this).toJsonString(settings));
    new DeploymentTrigger(this, 'Now', {
      run: sample,
      timeoutSeconds: FUNCTION_SETTINGS.sample.timeoutSeconds,
      logRetention: props.logRetention,
      after: [...props.after, group, props.securityGroup],
      before: [],
    });
    this.function = sample;
  }
}
