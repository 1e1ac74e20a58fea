import { readFileSync } from 'node:fs';
import path from 'node:path';
import { App, type AppProps } from 'aws-cdk-lib';
import { Code } from 'aws-cdk-lib/aws-lambda';
import type { FunctionAssets } from '../../lib/constructs/function-settings.ts';
import { PipelineStack } from '../../lib/constructs/pipeline-stack.ts';
import type { AwsSection } from '../../lib/core/config/aws-schema.ts';
import type { FreshetConfig } from '../../lib/core/config/config-schema.ts';
import { parseConfig } from '../../lib/core/config/parse-config.ts';

type StageInput = NonNullable<FreshetConfig['aws']>['stages'][string];

export const demoSecret = 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:freshet/database-AbCdEf';
/** The section `api` of a stage, as somebody writes it. */
export const apiInput = { issuer: 'https://login.example.com/', audience: 'search' };

export const openAiSecret = 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:freshet/openai-AbCdEf';

export const stageInput: StageInput = {
  account: '111122223333',
  region: 'eu-west-1',
  vpc: {
    vpcId: 'vpc-0123456789abcdef0',
    availabilityZones: ['eu-west-1a', 'eu-west-1b'],
    privateSubnetIds: ['subnet-0123456789abcdef0', 'subnet-0123456789abcdef1'],
  },
  database: {
    host: 'db.example.com',
    name: 'app',
    secretArn: demoSecret,
    securityGroupId: 'sg-0123456789abcdef0',
    maxConnections: 200,
  },
};

export function configInput(
  options: {
    readonly models?: readonly string[];
    readonly stage?: Partial<StageInput>;
    readonly modelSettings?: FreshetConfig['models'];
    readonly budget?: FreshetConfig['budget'];
  } = {},
): FreshetConfig {
  return {
    ...(options.modelSettings && { models: options.modelSettings }),
    sources: [
      {
        name: 'ai_items',
        table: 'public.ai_items',
        text: { columns: ['title'] },
        model: [...(options.models ?? ['hash'])],
      },
    ],
    ...(options.budget && { budget: options.budget }),
    aws: { stages: { test: { ...stageInput, ...options.stage } } },
  };
}

/** Code that deploys nothing, so that a test need not bundle. */
export const noAssets: FunctionAssets = { codeOf: () => Code.fromInline('export {};') };

/** With the feature flags that `cdk.json` sets. */
export function createApp(props: AppProps = {}): App {
  const file = path.resolve(import.meta.dirname, '../../cdk.json');
  const { context } = JSON.parse(readFileSync(file, 'utf8')) as { context: Record<string, unknown> };
  return new App({ analyticsReporting: false, ...props, context: { ...context, ...props.context } });
}

export function createStack(
  config: FreshetConfig = configInput(),
  options: { readonly app?: App; readonly paused?: boolean; readonly assets?: FunctionAssets } = {},
): PipelineStack {
  const stages: AwsSection['stages'] = parseConfig(config).aws?.stages ?? {};
  return new PipelineStack(options.app ?? createApp(), 'freshet-test', {
    config,
    stageName: 'test',
    stage: stages.test!,
    paused: options.paused ?? false,
    assets: options.assets ?? noAssets,
  });
}
