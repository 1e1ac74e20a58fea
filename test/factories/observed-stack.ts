import { Template } from 'aws-cdk-lib/assertions';
import type { PipelineStack } from '../../lib/constructs/pipeline-stack.ts';
import type { FreshetConfig } from '../../lib/core/config/config-schema.ts';
import { MODEL_PREFIX, servedModel } from './gpu-endpoint-stack.ts';
import { apiInput, configInput, createStack, openAiSecret } from './pipeline-stack.ts';

export const webhookSecret = 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:freshet/webhook-AbCdEf';

/** Everything that can be told of an alarm; the stage may have an endpoint and an API of its own besides. */
export function observedConfig(
  models: readonly string[] = ['openai'],
  { gpu = false, api = false }: { readonly gpu?: boolean; readonly api?: boolean } = {},
): FreshetConfig {
  return configInput({
    models,
    budget: { usdPerDay: 20, usdPerMonth: 300, perSource: { ai_items: { usdPerMonth: 200 } } },
    ...(gpu && { modelSettings: { e5: servedModel } }),
    stage: {
      ...(api && { api: apiInput }),
      ...(gpu && { gpu: { model: 'e5', modelPrefix: MODEL_PREFIX } }),
      providerSecrets: { openai: openAiSecret },
      alarms: {
        email: ['ops@example.com'],
        slack: { workspaceId: 'T0123456789', channelId: 'C0123456789' },
        webhook: { secretArn: webhookSecret },
        budgetUsd: 25,
      },
    },
  });
}

export function createObservedStack(
  options: {
    readonly paused?: boolean;
    readonly models?: readonly string[];
    readonly gpu?: boolean;
    readonly api?: boolean;
  } = {},
): { readonly stack: PipelineStack; readonly template: Template } {
  const { models, paused = false, gpu = false, api = false } = options;
  const stack = createStack(observedConfig(models, { gpu, api }), { paused });
  return { stack, template: Template.fromStack(stack) };
}
