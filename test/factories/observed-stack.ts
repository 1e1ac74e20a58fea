import { Template } from 'aws-cdk-lib/assertions';
import type { PipelineStack } from '../../lib/constructs/pipeline-stack.ts';
import { configInput, createStack, openAiSecret } from './pipeline-stack.ts';

export const webhookSecret = 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:freshet/webhook-AbCdEf';

/** One model and everything that can be told of an alarm. */
export function createObservedStack(
  options: { readonly paused?: boolean; readonly models?: readonly string[] } = {},
): { readonly stack: PipelineStack; readonly template: Template } {
  const { models = ['openai'], paused = false } = options;
  const config = configInput({
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
  const stack = createStack(config, { paused });
  return { stack, template: Template.fromStack(stack) };
}
