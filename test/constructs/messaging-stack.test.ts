import { App } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { describe, expect, test } from 'vitest';
import { MessagingStack } from '../../lib/constructs/messaging-stack.ts';
import { parseConfig } from '../../lib/core/config/parse-config.ts';

const SECONDS_PER_DAY = 86_400;

function synthesise(models: string[]): Template {
  const config = parseConfig({
    sources: [
      {
        name: 'ai_items',
        table: 'ai_items',
        updatedAt: 'updated_at',
        text: { columns: ['title'] },
        model: models,
      },
    ],
  });
  return Template.fromStack(new MessagingStack(new App(), 'freshet-test', { config }));
}

const queuesOf = (template: Template) =>
  Object.values(template.findResources('AWS::SQS::Queue')).map(({ Properties }) => Properties);

describe('MessagingStack', () => {
  test('gives each model two lanes, and every queue a dead-letter queue', () => {
    const queues = queuesOf(synthesise(['hash', 'openai']));

    const sources = queues.filter(queue => queue.RedrivePolicy !== undefined);

    expect(sources).toHaveLength(2 * 2 + 1);
    expect(queues).toHaveLength(2 * sources.length);
  });

  test('lets dead letters outlive their source and receives count at least five times', () => {
    const queues = queuesOf(synthesise(['hash']));

    for (const queue of queues) {
      if (queue.RedrivePolicy === undefined) expect(queue.MessageRetentionPeriod).toBe(14 * SECONDS_PER_DAY);
      else {
        expect(queue.RedrivePolicy.maxReceiveCount).toBeGreaterThanOrEqual(5);
        expect(queue.MessageRetentionPeriod).toBeLessThan(14 * SECONDS_PER_DAY);
      }
    }
  });

  test('refuses plain HTTP to every queue and to the bucket', () => {
    const template = synthesise(['hash']);
    const denied = Match.objectLike({
      PolicyDocument: Match.objectLike({
        Statement: Match.arrayWith([
          Match.objectLike({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }),
        ]),
      }),
    });

    template.resourcePropertiesCountIs('AWS::SQS::QueuePolicy', denied, queuesOf(template).length);
    template.resourcePropertiesCountIs('AWS::S3::BucketPolicy', denied, 1);
  });

  test('keeps result objects private and for longer than the message that names them', () => {
    const template = synthesise(['hash']);

    template.hasResourceProperties('AWS::S3::Bucket', {
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      },
      LifecycleConfiguration: { Rules: [Match.objectLike({ ExpirationInDays: 15, Status: 'Enabled' })] },
    });
  });
});
