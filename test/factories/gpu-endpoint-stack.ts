import type { App } from 'aws-cdk-lib';
import { GpuEndpointStack } from '../../lib/constructs/gpu-endpoint-stack.ts';
import type { FreshetConfig } from '../../lib/core/config/config-schema.ts';
import { parseConfig } from '../../lib/core/config/parse-config.ts';
import { configInput, createApp } from './pipeline-stack.ts';

type StageInput = NonNullable<FreshetConfig['aws']>['stages'][string];
type GpuInput = NonNullable<StageInput['gpu']>;

export const MODEL_PREFIX = `models/${'5e'.repeat(32)}/`;

export const servedModel = {
  provider: 'sagemaker',
  modelId: 'multilingual-e5-base',
  revision: '5e'.repeat(32),
  endpointName: 'embeddings',
  inferenceComponentName: 'embeddings-e5',
} as const;

export function createGpuStack(
  options: {
    readonly gpu?: Partial<GpuInput>;
    readonly stage?: Partial<StageInput>;
    readonly model?: NonNullable<FreshetConfig['models']>[string];
    readonly app?: App;
  } = {},
): GpuEndpointStack {
  const input = configInput({
    models: ['e5'],
    modelSettings: { e5: options.model ?? servedModel },
    stage: { gpu: { model: 'e5', modelPrefix: MODEL_PREFIX, ...options.gpu }, ...options.stage },
  });
  const config = parseConfig(input);
  const stage = config.aws?.stages.test;
  if (stage?.gpu === undefined) throw new Error('the stage has no endpoint');
  return new GpuEndpointStack(options.app ?? createApp(), 'freshet-test-gpu', {
    config,
    stageName: 'test',
    stage,
    gpu: stage.gpu,
  });
}
