import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../../lib/core/config/parse-config.ts';
import { problemsOf } from '../../factories/config-problems.ts';

const vpc = {
  vpcId: 'vpc-0123456789abcdef0',
  availabilityZones: ['eu-west-1a', 'eu-west-1b'],
  privateSubnetIds: ['subnet-0123456789abcdef0', 'subnet-0123456789abcdef1'],
};
const database = {
  host: 'db.example.com',
  name: 'app',
  secretArn: 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:freshet/database-AbCdEf',
  securityGroupId: 'sg-0123456789abcdef0',
};

const withStage = (stage: unknown, name: string) => ({
  sources: [{ name: 'items', table: 'items', text: { columns: ['title'] }, model: 'hash' }],
  aws: { stages: { [name]: stage } },
});
const parseStage = (stage: unknown, name = 'prod') => parseConfig(withStage(stage, name)).aws?.stages[name];
const stageProblems = (stage: unknown, name = 'prod') => problemsOf(withStage(stage, name));

describe('a stage', () => {
  test('needs a network and a database, and has defaults for the rest', () => {
    expect(parseStage({ vpc, database })).toEqual({
      vpc: { ...vpc, s3Endpoint: false, ipv6: false, endpoints: false },
      database: { ...database, port: 5432, certificateAuthority: 'rds', maxConnections: 60 },
      providerSecrets: {},
      schedules: {
        incremental: 'rate(5 minutes)',
        full: 'cron(0 3 * * ? *)',
        timeZone: 'UTC',
        sources: {},
        modes: { sources: {} },
      },
      maxConcurrency: {},
      sloMinutes: 15,
      logRetentionDays: 30,
      tags: {},
      alarms: { email: [] },
    });
  });

  test('is left out by a configuration for one machine', () => {
    const config = parseConfig({
      sources: [{ name: 'items', table: 'items', text: { columns: ['title'] }, model: 'hash' }],
    });

    expect(config).not.toHaveProperty('aws');
  });

  test.each([
    [
      { vpc, database, acount: '111122223333' },
      'aws.stages.prod.acount: is not a known key; did you mean "account"?',
    ],
    [
      { database },
      'aws.stages.prod.vpc: expected an object such as { vpcId, availabilityZones, privateSubnetIds }, but it is missing',
    ],
    [
      { vpc, database, account: 111122223333 },
      'aws.stages.prod.account: expected the 12 digits of an AWS account, in quotes, got 111122223333',
    ],
    [
      { vpc, database, region: 'Ireland' },
      'aws.stages.prod.region: expected a region such as eu-west-1, got "Ireland"',
    ],
    [
      { vpc: { ...vpc, privateSubnetIds: ['subnet-1'] }, database },
      'aws.stages.prod.vpc.privateSubnetIds[0]: expected an id such as subnet-0123456789abcdef0, got "subnet-1"',
    ],
    [
      { vpc, database: { ...database, secretArn: 'freshet/database' } },
      'aws.stages.prod.database.secretArn: expected the ARN of a secret: arn:aws:secretsmanager:<region>:<account>:secret:<name>, got another value',
    ],
    [
      { vpc, database, schedules: { incremental: 'every 5 minutes' } },
      'aws.stages.prod.schedules.incremental: expected "rate(5 minutes)" or "cron(0 3 * * ? *)", got "every 5 minutes"',
    ],
    [
      { vpc, database, schedules: { incremental: 'rate(1 hour)' }, sloMinutes: 5 },
      'aws.stages.prod.schedules.incremental: looks for edits every 60 minutes at worst ("rate(1 hour)"), and sloMinutes promises their vectors within 5: give schedules.incremental a rate of 5 minutes or less, or sloMinutes 60 or more',
    ],
    [
      { vpc, database, schedules: { timeZone: 'Berlin' } },
      'aws.stages.prod.schedules.timeZone: expected an IANA time zone such as Europe/Berlin, got "Berlin"',
    ],
    [
      { vpc, database, maxConcurrency: { write: 1 } },
      'aws.stages.prod.maxConcurrency.write: expected a whole number from 2 to 1000, got 1',
    ],
    [{ vpc, database, logRetentionDays: 31 }, 'aws.stages.prod.logRetentionDays: expected one of 1, 3, 5, 7'],
    [
      { vpc, database, alarms: { webhook: 'https://hooks.example.com/T0/B0/x' } },
      'aws.stages.prod.alarms.webhook: expected an object such as { secretArn }',
    ],
  ])('is refused with the path, what was expected and what was found: %#', (stage, problem) => {
    const problems = stageProblems(stage);

    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(problem);
  });

  test.each([
    ...['rate(1 minute)', 'cron(0/15 8-18 ? * MON-FRI *)', 'cron(5,35 * 1 JAN,JUL ? 2027)'],
    ...['cron(0 3 L * ? *)', 'cron(0 3 15W * ? *)', 'cron(0 3 ? * FRI#2 *)', 'cron(0 3 ? * 6L *)'],
    ...['cron(0 3 LW * ? *)', 'cron(0 3 L-3 * ? *)', 'cron(0 3 31W * ? *)', 'cron(0 3 1/10 * ? *)'],
    ...['cron(0 3 ? * L *)', 'cron(0 3 ? * friL *)', 'cron(0 3 ? * 2#1 *)', 'cron(0 3 ? * 1,SAT *)'],
  ])('has the schedule %s, which AWS takes', full => {
    expect(stageProblems({ vpc, database, schedules: { full } })).toEqual([]);
  });

  test.each([
    ...['cron(0 25 * * ? *)', 'cron(60 3 * * ? *)', 'cron(0 3 32 * ? *)', 'cron(0 3 ? 13 MON *)'],
    ...['cron(0 3 * * * *)', 'cron(0 3 ? * ? *)', 'cron(0 3 ? * MOND *)', 'cron(0 3 * *)', 'rate(0 days)'],
    ...['cron(0 3 ? * FOOL *)', 'cron(0 3 ? * 0L *)', 'cron(0 3 ? * 8L *)', 'cron(0 3 ? * X#5 *)'],
    ...['cron(0 3 ? * 5W *)', 'cron(0 3 ? * LW *)', 'cron(0 3 ? * MON#6 *)', 'cron(0 3 ? * L-3 *)'],
    ...['cron(0 3 99W * ? *)', 'cron(0 3 0W * ? *)', 'cron(0 3 L-99 * ? *)', 'cron(0 3 L-0 * ? *)'],
    ...['cron(0 3 MON#1 * ? *)', 'cron(0 3 6L * ? *)'],
  ])('has no schedule %s, which AWS would refuse in the deployment', full => {
    expect(stageProblems({ vpc, database, schedules: { full } })[0]).toContain('schedules.full: expected');
  });

  test('has a name that can be part of the name of a stack', () => {
    expect(stageProblems({ vpc, database }, 'Prod_1')[0]).toContain('Prod_1');
  });
});

describe('the network of a stage', () => {
  test('is given by attributes, unless account and region let cdk look it up', () => {
    const problems = stageProblems({ vpc: { vpcId: vpc.vpcId }, database });

    expect(problems).toEqual([
      expect.stringMatching(
        /^aws\.stages\.prod\.vpc\.availabilityZones: is missing; give availabilityZones and/,
      ),
      expect.stringMatching(
        /^aws\.stages\.prod\.vpc\.privateSubnetIds: is missing; give availabilityZones and/,
      ),
    ]);
    expect(
      stageProblems({ vpc: { vpcId: vpc.vpcId }, database, account: '111122223333', region: 'eu-west-1' }),
    ).toEqual([]);
  });

  test('has one zone and one route table for each subnet', () => {
    const odd = {
      ...vpc,
      availabilityZones: ['eu-west-1a'],
      privateRouteTableIds: ['rtb-0123456789abcdef0'],
    };

    expect(stageProblems({ vpc: odd, database })).toEqual([
      'aws.stages.prod.vpc.availabilityZones: has 1 entries for 2 private subnets; give one for each',
      'aws.stages.prod.vpc.privateRouteTableIds: has 1 entries for 2 private subnets; give one for each',
    ]);
  });

  test('gets no endpoint without its route tables', () => {
    expect(stageProblems({ vpc: { ...vpc, s3Endpoint: true }, database })).toEqual([
      'aws.stages.prod.vpc.privateRouteTableIds: is missing; s3Endpoint needs the route table of each private subnet',
    ]);
  });
});

describe('the database of a stage', () => {
  test('is opened by a secret or by IAM, one of the two', () => {
    const iam = { user: 'freshet', resourceId: 'cluster-ABCDEFGHIJKL' };
    const { secretArn: _, ...neither } = database;

    expect(stageProblems({ vpc, database: neither })).toEqual([
      'aws.stages.prod.database.secretArn: is missing; give secretArn, or iam: { user, resourceId }',
    ]);
    expect(stageProblems({ vpc, database: { ...database, iam } })).toEqual([
      'aws.stages.prod.database.secretArn: stands beside iam; give one of the two',
    ]);
    expect(stageProblems({ vpc, database: { ...neither, iam } })).toEqual([]);
  });
});

describe('the keys of a stage', () => {
  test('are for models that there are', () => {
    const problems = stageProblems({ vpc, database, providerSecrets: { opnai: database.secretArn } });

    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(
      'aws.stages.prod.providerSecrets.opnai: is no model; did you mean "openai"?',
    );
  });

  test('are never repeated where somebody wrote the key in place of its ARN', () => {
    const canary = 'sk-canary';
    const alarms = { webhook: { secretArn: canary } };
    const problems = [
      ...stageProblems({ vpc, database: { ...database, secretArn: canary } }),
      ...stageProblems({ vpc, database, providerSecrets: { openai: canary } }),
      ...stageProblems({ vpc, database, providerSecrets: { openai: { secretArn: canary } } }),
      ...stageProblems({ vpc, database, alarms }),
    ];

    expect(problems).toHaveLength(4);
    for (const problem of problems) {
      expect(problem).toContain('expected the ARN of a secret');
      expect(problem).not.toContain(canary);
    }
  });

  test.each<[string, object]>([
    ['database', { database: 'postgres://app:canary@db/app' }],
    ['providerSecrets', { providerSecrets: 'sk-canary' }],
    ['alarms', { alarms: 'https://hooks.example.com/canary' }],
    ['alarms.slack', { alarms: { slack: 'https://hooks.example.com/canary' } }],
  ])('are never repeated where somebody wrote one in place of the object %s', (place, stage) => {
    expect(stageProblems({ vpc, database, ...stage })).toEqual([
      expect.stringMatching(
        RegExp(`^aws\\.stages\\.prod\\.${place}: expected an object.*, got another value$`),
      ),
    ]);
  });

  test('are secrets by their ARN, or with the KMS key that encrypts them', () => {
    const { secretArn } = database;
    const secretKeyArn = 'arn:aws:kms:eu-west-1:111122223333:key/0123';
    const given = (openai: unknown) => stageProblems({ vpc, database, providerSecrets: { openai } });

    expect(given({ secretArn, secretKeyArn })).toEqual([]);
    for (const wrong of [
      { secretArn, keyArn: secretKeyArn },
      { secretKeyArn },
      { secretArn, secretKeyArn: 'k' },
    ])
      expect(given(wrong)).toEqual([
        expect.stringMatching(/^aws\.stages\.prod\.providerSecrets\.openai[.:].*\bsecret(Key)?Arn\b/),
      ]);
  });
});

describe('the GPU endpoint of a stage', () => {
  const digest = '0a'.repeat(32);

  test('needs a model, scales to zero, and runs on one small GPU unless told otherwise', () => {
    expect(parseStage({ vpc, database, gpu: { model: 'e5' } })?.gpu).toEqual({
      model: 'e5',
      instanceType: 'ml.g5.xlarge',
      teiVersion: '1.9.4',
      minCopies: 0,
      maxCopies: 1,
      callsPerCopy: 5,
    });
  });

  test.each([
    [
      { model: 'e5', modelPrefx: 'models/' },
      'gpu.modelPrefx: is not a known key; did you mean "modelPrefix"?',
    ],
    [
      { model: 'e5', modelPrefix: `models/${digest}` },
      'gpu.modelPrefix: expected a prefix as `freshet models publish` prints it: models/<64 hexadecimal digits>/',
    ],
    [{ model: 'e5', modelPrefix: 'models/latest/' }, 'gpu.modelPrefix: expected a prefix as'],
    [
      { model: 'e5', instanceType: 'ml.p5.48xlarge' },
      'gpu.instanceType: expected an instance with one GPU: ml.g4dn',
    ],
    [{ model: 'e5', teiVersion: '1.9' }, 'gpu.teiVersion: expected one of 1.8.2, 1.9.3, 1.9.4, got "1.9"'],
    [{ model: 'e5', maxCopies: 0 }, 'gpu.maxCopies: expected a whole number from 1 to 100, got 0'],
  ])('says what is wrong with %j', (gpu, problem) => {
    expect(stageProblems({ vpc, database, gpu }).join('\n')).toContain(`aws.stages.prod.${problem}`);
  });
});
