import { Template } from 'aws-cdk-lib/assertions';
import { describe, expect, test } from 'vitest';
import { configInput, createStack, demoSecret, openAiSecret } from '../factories/pipeline-stack.ts';
import { resourcesOf } from '../support/resources-of.ts';

interface Statement {
  readonly Effect: 'Allow' | 'Deny';
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
}

interface PolicyDocument {
  readonly Statement: readonly Statement[];
}

interface Policy {
  readonly owner: string;
  readonly statements: readonly Statement[];
}

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

const policies: readonly Policy[] = [
  ...resourcesOf<{ Roles: { Ref: string }[]; PolicyDocument: PolicyDocument }>(
    template,
    'AWS::IAM::Policy',
  ).map(({ properties }) => ({
    owner: properties.Roles[0]!.Ref,
    statements: properties.PolicyDocument.Statement,
  })),
  ...resourcesOf<{ Policies?: { PolicyDocument: PolicyDocument }[] }>(template, 'AWS::IAM::Role').flatMap(
    ({ id, properties }) =>
      (properties.Policies ?? []).map(policy => ({ owner: id, statements: policy.PolicyDocument.Statement })),
  ),
];

const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : [value]);
const actionsOf = (statement: Statement) => list(statement.Action) as string[];

/** What a function's role allows beyond logs, network interfaces and traces: action → resources, as text. */
function rightsOf(name: string): Record<string, string[]> {
  const policy = policies.find(({ owner }) => owner.startsWith(`PipelineFunctions${name}Role`));
  const rights: Record<string, string[]> = {};
  for (const statement of policy?.statements ?? []) {
    if (statement.Effect === 'Deny') continue;
    for (const action of actionsOf(statement))
      if (!/^(logs|ec2|xray):/.test(action))
        rights[action] = [...(rights[action] ?? []), ...list(statement.Resource).map(nameOf)].sort();
  }
  return rights;
}

interface Intrinsic {
  readonly Ref?: string;
  readonly 'Fn::GetAtt'?: readonly [string, string];
  readonly 'Fn::Join'?: readonly [string, readonly unknown[]];
}

/** `<Queues/openaifresh>` for a resource of the template: the logical id without its hash and the part that all have. */
function nameOf(resource: unknown): string {
  if (typeof resource === 'string') return resource;
  const { Ref, 'Fn::GetAtt': attribute, 'Fn::Join': join } = resource as Intrinsic;
  if (join !== undefined) return join[1].map(nameOf).join('');
  const id = (Ref ?? attribute![0])
    .replace(/^Pipeline/, '')
    .replace(/(Queue|Bucket|Mapping)[0-9A-F]{8}$/, '');
  return `<${id}>`;
}

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
        .filter(({ Effect, Resource }) => Effect === 'Allow' && list(Resource).includes('*'))
        .flatMap(actionsOf),
    );

    expect([...new Set(wide)].sort()).toEqual(Object.keys(MAY_NAME_ANY_RESOURCE).sort());
  });

  test('are denied to the code what only Lambda needs for its network interface', () => {
    for (const { owner, statements } of policies.filter(policy =>
      policy.owner.startsWith('PipelineFunctions'),
    )) {
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
    expect(rightsOf('detect')).toEqual({
      'secretsmanager:GetSecretValue': [demoSecret],
      'sqs:SendMessage': [...EMBED_QUEUES, DEAD_LETTERS].sort(),
      'sqs:GetQueueAttributes': EMBED_QUEUES,
    });
  });

  test('let embed put objects that it cannot read, and read the keys of its models', () => {
    expect(rightsOf('embed')).toEqual({
      ...consume(EMBED_QUEUES),
      'sqs:GetQueueAttributes': [...EMBED_QUEUES, ...RESULTS_QUEUE].sort(),
      'sqs:SendMessage': RESULTS_QUEUE,
      's3:PutObject': OBJECTS,
      'secretsmanager:GetSecretValue': KEYS,
    });
  });

  test('let write read objects that it cannot put, and no key', () => {
    expect(rightsOf('write')).toEqual({
      ...consume(RESULTS_QUEUE),
      'sqs:GetQueueAttributes': RESULTS_QUEUE,
      's3:GetObject': OBJECTS,
      's3:ListBucket': ['<Claims>'],
      'secretsmanager:GetSecretValue': [demoSecret],
    });
  });

  test('let guard switch exactly the mappings of this stack', () => {
    const mappings = ['Results', 'hashbulk', 'hashfresh', 'openaibulk', 'openaifresh'].map(
      name => `arn:aws:lambda:eu-west-1:111122223333:event-source-mapping:<Consumers${name}>`,
    );

    expect(rightsOf('guard')).toEqual({
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
    expect(rightsOf('migrate')).toEqual({ 'secretsmanager:GetSecretValue': KEYS });
  });

  test('let operate send again what lies among the dead letters, and take it away there', () => {
    const letters = [...EMBED_QUEUES, ...RESULTS_QUEUE]
      .map(queue => queue.replace('>', 'DeadLetters>'))
      .sort();
    const queues = [...EMBED_QUEUES, ...RESULTS_QUEUE].sort();

    expect(rightsOf('operate')).toEqual({
      'secretsmanager:GetSecretValue': [demoSecret],
      'sqs:SendMessage': queues,
      'sqs:ReceiveMessage': letters,
      'sqs:DeleteMessage': letters,
      'sqs:ChangeMessageVisibility': letters,
      'sqs:GetQueueAttributes': [...queues, ...letters].sort(),
      'sqs:GetQueueUrl': letters,
    });
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
