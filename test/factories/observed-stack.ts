import { Template } from 'aws-cdk-lib/assertions';
import type { PipelineStack } from '../../lib/constructs/pipeline-stack.ts';
import type { FreshetConfig } from '../../lib/core/config/config-schema.ts';
import { configInput, createStack, openAiSecret } from './pipeline-stack.ts';

export const webhookSecret = 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:freshet/webhook-AbCdEf';

/** Everything that can be told of an alarm. */
export function observedConfig(models: readonly string[] = ['openai']): FreshetConfig {
  return configInput({
    models,
    stage: {
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
  options: { readonly paused?: boolean; readonly models?: readonly string[] } = {},
): { readonly stack: PipelineStack; readonly template: Template } {
  const { models, paused = false } = options;
  const stack = createStack(observedConfig(models), { paused });
  return { stack, template: Template.fromStack(stack) };
}
