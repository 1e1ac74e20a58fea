import { describe, expect, test } from 'vitest';
import { createHandler } from '../../functions/notify/handler.ts';
import { createRecordingLogger } from '../doubles/recording-logger.ts';

function open(failures = 0) {
  const posts: string[] = [];
  let left = failures;
  const logger = createRecordingLogger();
  const webhook = {
    async post(text: string) {
      left -= 1;
      if (left >= 0) throw new Error('down');
      posts.push(text);
    },
  };
  const handler = createHandler({ stage: 'prod', webhook, logger });
  const publish = (...messages: string[]) =>
    handler({ Records: messages.map(Message => ({ Sns: { Message } })) } as never);
  return { posts, logger, publish };
}

const alarm = {
  AlarmName: 'freshet-prod-Page',
  AlarmDescription: 'Freshet prod needs somebody now.',
  AWSAccountId: '111122223333',
  NewStateValue: 'ALARM',
  NewStateReason: 'Threshold crossed: 1 datapoint [912.0] …',
  StateChangeTime: '2026-11-21T13:00:00.000+0000',
  Region: 'EU (Ireland)',
  TriggeringChildren: [{ Arn: 'arn:aws:cloudwatch:eu-west-1:111122223333:alarm:freshet-prod-freshness' }],
};

describe('an alarm', () => {
  test('is posted with what it means, the alarms behind it and where it is', async () => {
    const { posts, publish } = open();

    await publish(JSON.stringify(alarm));

    expect(posts).toEqual([
      'ALARM: freshet-prod-Page\nFreshet prod needs somebody now.\nbecause of freshet-prod-freshness\nfreshet prod · EU (Ireland) · 2026-11-21T13:00:00.000+0000',
    ]);
  });

  test('that is over says so', async () => {
    const { posts, publish } = open();

    await publish(JSON.stringify({ AlarmName: 'a', NewStateValue: 'OK', AlarmDescription: null }));

    expect(posts).toEqual(['over: a\nfreshet prod']);
  });

  test('that cannot be posted fails the delivery, so that it comes again', async () => {
    const { publish } = open(1);

    await expect(publish(JSON.stringify(alarm))).rejects.toThrow('down');
  });
});

test.each(['Maria Muster wrote this', '{"AlarmName":7}', 'null', '{"AlarmName":"a","NewStateValue":"ODD"}'])(
  'a message that is no alarm (%s) is told and not repeated',
  async message => {
    const { posts, logger, publish } = open();

    await publish(message);

    expect(posts).toHaveLength(1);
    expect(posts[0]).toContain('no alarm');
    expect(JSON.stringify([posts, logger.lines])).not.toContain(message);
  },
);
