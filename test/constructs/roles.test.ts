import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Template } from 'aws-cdk-lib/assertions';
import { describe, expect, test } from 'vitest';
import { FUNCTION_NAMES } from '../../lib/constructs/function-settings.ts';
import { servedModel } from '../factories/gpu-endpoint-stack.ts';
import { observedConfig } from '../factories/observed-stack.ts';
import {
  configInput,
  createStack,
  demoSecret,
  openAiSecret,
  stageInput,
} from '../factories/pipeline-stack.ts';
import { printRights } from '../pages/print-rights.ts';
import { resourcesOf } from '../templates/resources-of.ts';
import { actionsOf, listed, policiesOf, rightsOf } from '../templates/rights.ts';

/** Actions for which `*` is the only resource, or the narrowest one, and why. */
const MAY_NAME_ANY_RESOURCE: Readonly<Record<string, string>> = {
  'ec2:CreateNetworkInterface': 'Lambda checks the role for it on any resource',
  'ec2:DescribeNetworkInterfaces': 'has no resource',
  'ec2:DescribeSubnets': 'has no resource',
  'ec2:DeleteNetworkInterface': 'Lambda checks the role for it on any resource',
  'ec2:AssignPrivateIpAddresses': 'Lambda checks the role for it on any resource',
  'ec2:UnassignPrivateIpAddresses': 'Lambda checks the role for it on any resource',
  'xray:PutTraceSegments': 'has no resource',
  'xray:PutTelemetryRecords': 'has no resource',
};

const input = configInput({
  models: ['hash', 'openai'],
  stage: { providerSecrets: { openai: openAiSecret } },
});
const template = Template.fromStack(createStack(input));
const policies = policiesOf(template);
const served = policiesOf(
  Template.fromStack(createStack(configInput({ models: ['e5'], modelSettings: { e5: servedModel } }))),
);

const rights = (name: string, of = policies) => rightsOf(of, `PipelineFunctions${name}Role`);

const EMBED_QUEUES = ['hashbulk', 'hashfresh', 'openaibulk', 'openaifresh'].map(name => `<Queues${name}>`);
const RESULTS_QUEUE = ['<QueuesResults>'];
const DEAD_LETTERS = '<ScheduleDeadLetters>';
const OBJECTS = ['<Claims>/claims/*'];
const KEYS = [demoSecret, openAiSecret].sort();
const consume = (queues: string[]) => ({
  'sqs:ReceiveMessage': queues,
  'sqs:DeleteMessage': queues,
  'sqs:ChangeMessageVisibility': queues,
});

describe('the roles', () => {
  test('allow no action by a wildcard', () => {
    const wild = policies.flatMap(({ owner, statements }) =>
      statements
        .flatMap(actionsOf)
        .filter(action => action.includes('*'))
        .map(action => `${owner}: ${action}`),
    );

    expect(policies.length).toBeGreaterThan(8);
    expect(wild).toEqual([]);
  });

  test('name any resource only where AWS knows no narrower one', () => {
    const wide = policies.flatMap(({ statements }) =>
      statements
        .filter(({ Effect, Resource }) => Effect === 'Allow' && listed(Resource).includes('*'))
        .flatMap(actionsOf),
    );

    expect([...new Set(wide)].sort()).toEqual(Object.keys(MAY_NAME_ANY_RESOURCE).sort());
  });

  test('are denied to the code what only Lambda needs for its network interface', () => {
    const ours = policies.filter(policy => policy.owner.startsWith('PipelineFunctions'));

    expect(ours).toHaveLength(FUNCTION_NAMES.length);
    for (const { owner, statements } of ours) {
      const denied = statements.filter(({ Effect }) => Effect === 'Deny').flatMap(actionsOf);
      expect(denied, owner).toEqual(
        Object.keys(MAY_NAME_ANY_RESOURCE)
          .filter(action => action.startsWith('ec2:'))
          .sort(),
      );
    }
  });

  test('come without managed policies, but for the function of the CDK that starts triggers', () => {
    const managed = resourcesOf<{ ManagedPolicyArns?: unknown }>(template, 'AWS::IAM::Role').filter(
      role => role.properties.ManagedPolicyArns !== undefined,
    );

    expect(managed.map(role => role.id)).toEqual([
      expect.stringMatching(/^AWSCDKTriggerCustomResourceProvider/),
    ]);
  });

  test('let detect send ids, and nothing else', () => {
    expect(rights('detect')).toEqual({
      'secretsmanager:GetSecretValue': [demoSecret],
      'sqs:SendMessage': [...EMBED_QUEUES, DEAD_LETTERS].sort(),
    });
  });

  test('let embed put objects that it cannot read, and read the keys of its models', () => {
    expect(rights('embed')).toEqual({
      ...consume(EMBED_QUEUES),
      'sqs:GetQueueAttributes': EMBED_QUEUES,
      'sqs:SendMessage': RESULTS_QUEUE,
      's3:PutObject': OBJECTS,
      'secretsmanager:GetSecretValue': KEYS,
    });
  });

  test('let write read objects that it cannot put, and no key', () => {
    expect(rights('write')).toEqual({
      ...consume(RESULTS_QUEUE),
      'sqs:GetQueueAttributes': RESULTS_QUEUE,
      's3:DeleteObject': OBJECTS,
      's3:GetObject': OBJECTS,
      's3:ListBucket': ['<Claims>'],
      'secretsmanager:GetSecretValue': [demoSecret],
    });
  });

  test('let guard switch exactly the mappings of this stack', () => {
    const mappings = ['Results', 'hashbulk', 'hashfresh', 'openaibulk', 'openaifresh'].map(
      name => `arn:aws:lambda:eu-west-1:111122223333:event-source-mapping:<Consumers${name}>`,
    );

    expect(rights('guard')).toEqual({
      'lambda:GetEventSourceMapping': mappings,
      'lambda:UpdateEventSourceMapping': mappings,
      'lambda:ListTags': mappings,
      'lambda:TagResource': mappings,
      'lambda:UntagResource': mappings,
      'secretsmanager:GetSecretValue': KEYS,
      'sqs:SendMessage': [DEAD_LETTERS],
    });
  });

  test('let migrate log in and try the keys, and nothing else', () => {
    expect(rights('migrate')).toEqual({ 'secretsmanager:GetSecretValue': KEYS });
  });

  test('let operate send again what lies among the dead letters, and take it away there', () => {
    const letters = [...EMBED_QUEUES, ...RESULTS_QUEUE]
      .map(queue => queue.replace('>', 'DeadLetters>'))
      .sort();
    const queues = [...EMBED_QUEUES, ...RESULTS_QUEUE].sort();

    expect(rights('operate')).toEqual({
      'secretsmanager:GetSecretValue': [demoSecret],
      'sqs:SendMessage': queues,
      'sqs:ReceiveMessage': letters,
      'sqs:DeleteMessage': letters,
      'sqs:ChangeMessageVisibility': letters,
      'sqs:GetQueueAttributes': queues,
      'sqs:GetQueueUrl': letters,
    });
  });

  test.each([
    ['embed', ['sagemaker:InvokeEndpoint']],
    ['guard', ['sagemaker:InvokeEndpoint']],
    ['migrate', ['sagemaker:InvokeEndpoint']],
    ['detect', []],
    ['write', []],
    ['operate', []],
  ])('let %s invoke the endpoint of a model: %j', (name, actions) => {
    const allowed = rights(name, served);

    expect(Object.keys(allowed).filter(action => action.startsWith('sagemaker:'))).toEqual(actions);
    for (const action of actions)
      expect(allowed[action]).toEqual([
        'arn:aws:sagemaker:eu-west-1:111122223333:endpoint/embeddings',
        'arn:aws:sagemaker:eu-west-1:111122223333:inference-component/embeddings-e5',
      ]);
  });

  test('let the schedules start their function and park what failed, and are taken by this account’s schedules alone', () => {
    const roles = resourcesOf<{
      AssumeRolePolicyDocument: { Statement: { Principal: { Service: string }; Condition?: unknown }[] };
    }>(template, 'AWS::IAM::Role').filter(({ id }) => id.startsWith('PipelineSchedules'));

    expect(roles).toHaveLength(4);
    for (const { id, properties } of roles) {
      expect(properties.AssumeRolePolicyDocument.Statement).toEqual([
        {
          Action: 'sts:AssumeRole',
          Effect: 'Allow',
          Principal: { Service: 'scheduler.amazonaws.com' },
          Condition: {
            StringEquals: {
              'aws:SourceAccount': '111122223333',
              'aws:SourceArn': 'arn:aws:scheduler:eu-west-1:111122223333:schedule-group/default',
            },
          },
        },
      ]);
      const allowed = policies.filter(({ owner }) => owner === id).flatMap(({ statements }) => statements);
      expect(allowed.flatMap(actionsOf).sort(), id).toEqual(['lambda:InvokeFunction', 'sqs:SendMessage']);
      expect(JSON.stringify(allowed), id).not.toContain('*');
    }
  });

  test('decrypt a secret with a key of one’s own only where there is one, and only through Secrets Manager', () => {
    const secretKeyArn = 'arn:aws:kms:eu-west-1:111122223333:key/01234567-89ab-cdef-0123-456789abcdef';
    const { database } = stageInput;
    const own = policiesOf(
      Template.fromStack(createStack(configInput({ stage: { database: { ...database, secretKeyArn } } }))),
    );
    const decrypting = own.filter(({ statements }) => statements.flatMap(actionsOf).includes('kms:Decrypt'));

    expect(decrypting.map(({ owner }) => owner.replace(/Role[0-9A-F]{8}$/, '')).sort()).toEqual(
      FUNCTION_NAMES.map(name => `PipelineFunctions${name}`).sort(),
    );
    for (const { statements } of decrypting)
      expect(statements.find(statement => actionsOf(statement).includes('kms:Decrypt'))).toEqual({
        Effect: 'Allow',
        Action: 'kms:Decrypt',
        Resource: secretKeyArn,
        Condition: {
          StringEquals: {
            'kms:ViaService': {
              'Fn::Join': ['', ['secretsmanager.eu-west-1.', { Ref: 'AWS::URLSuffix' }]],
            },
          },
        },
      });
    expect(policies.flatMap(({ statements }) => statements.flatMap(actionsOf))).not.toContain('kms:Decrypt');
  });

  test('decrypt the secret of each model with its own key, and with no other', () => {
    const keyOf = (name: string) => `arn:aws:kms:eu-west-1:111122223333:key/${name}`;
    const secretOf = (alias: string) =>
      `arn:aws:secretsmanager:eu-west-1:111122223333:secret:freshet/${alias}-AbCdEf`;
    const model = { provider: 'openai' as const, modelId: 'm', dimensions: 8 };
    const stack = createStack(
      configInput({
        models: ['first', 'second'],
        modelSettings: { first: model, second: model },
        stage: {
          database: { ...stageInput.database, secretKeyArn: keyOf('database') },
          providerSecrets: {
            first: { secretArn: secretOf('first'), secretKeyArn: keyOf('first') },
            second: secretOf('second'),
          },
          alarms: { webhook: { secretArn: secretOf('webhook'), secretKeyArn: keyOf('webhook') } },
        },
      }),
    );
    const own = policiesOf(Template.fromStack(stack));
    const named = (name: string, action: string) =>
      own
        .filter(({ owner }) => owner.startsWith(name))
        .flatMap(({ statements }) => statements.filter(statement => actionsOf(statement).includes(action)))
        .flatMap(({ Resource }) => listed(Resource));

    for (const name of ['embed', 'guard', 'migrate'].map(found => `PipelineFunctions${found}Role`)) {
      expect(new Set(named(name, 'kms:Decrypt')), name).toEqual(new Set([keyOf('database'), keyOf('first')]));
      expect(new Set(named(name, 'secretsmanager:GetSecretValue')), name).toEqual(
        new Set([demoSecret, secretOf('first'), secretOf('second')]),
      );
    }
    for (const name of ['detect', 'write', 'operate'].map(found => `PipelineFunctions${found}Role`))
      expect(named(name, 'kms:Decrypt'), name).toEqual([keyOf('database')]);
    expect(named('PipelineAlarmTopicWebhookRole', 'kms:Decrypt')).toEqual([keyOf('webhook')]);
  });

  test('log in by IAM as one user, where there is no secret', () => {
    const database = { host: 'db.example.com', name: 'app', securityGroupId: 'sg-0123456789abcdef0' };
    const iam = { user: 'freshet', resourceId: 'cluster-ABCDEFGHIJKL' };
    const stack = createStack(configInput({ stage: { database: { ...database, iam } } }));
    const text = JSON.stringify(Template.fromStack(stack).toJSON());

    expect(text).toContain('arn:aws:rds-db:eu-west-1:111122223333:dbuser:cluster-ABCDEFGHIJKL/freshet');
    expect(text).not.toContain('secretsmanager:');
  });
});

test('docs/deployment.md has the table of rights that the roles have', () => {
  const page = path.join(import.meta.dirname, '../../docs/deployment.md');
  const text = readFileSync(page, 'utf8');
  const table = printRights(
    Template.fromStack(createStack(observedConfig(['openai', 'e5'], { gpu: true, api: true }))),
  );
  const updated = text.replace(
    /(?<=<!-- rights: [^>]*-->\n)[\s\S]*?(?=\n<!-- end of rights -->)/,
    () => `\n${table}\n`,
  );
  if (process.env.UPDATE_DOCS === '1') writeFileSync(page, updated);

  expect(text).toContain('<!-- end of rights -->');
  expect(
    process.env.UPDATE_DOCS === '1' ? updated : text,
    'the page is out of date: npm run docs:rights writes it anew',
  ).toBe(updated);
});
