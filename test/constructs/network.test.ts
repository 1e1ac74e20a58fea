import { Template } from 'aws-cdk-lib/assertions';
import { SubnetType, Vpc } from 'aws-cdk-lib/aws-ec2';
import { describe, expect, test } from 'vitest';
import { EmbeddingPipeline } from '../../lib/constructs/embedding-pipeline.ts';
import { FUNCTION_NAMES } from '../../lib/constructs/function-settings.ts';
import {
  configInput,
  createApp,
  createStack,
  demoSecret,
  noAssets,
  stageInput,
} from '../factories/pipeline-stack.ts';
import { resourcesOf } from '../templates/resources-of.ts';

interface FunctionProperties {
  readonly VpcConfig?: { readonly SubnetIds: unknown[]; readonly Ipv6AllowedForDualStack?: boolean };
  readonly Environment?: { readonly Variables: { readonly FRESHET_DEPLOYMENT?: unknown } };
}

const functionsOf = (template: Template) =>
  resourcesOf<FunctionProperties>(template, 'AWS::Lambda::Function').filter(({ id }) =>
    /Functions(detect|embed|write|guard|migrate|operate)/.test(id),
  );
const plain = Template.fromStack(createStack());

describe('the network of a stage', () => {
  test('is the one whose attributes it gives, and nothing is asked of AWS', () => {
    const app = createApp();
    createStack(configInput(), { app });

    expect(app.synth().manifest.missing ?? []).toEqual([]);
    for (const { properties } of functionsOf(plain))
      expect(properties.VpcConfig?.SubnetIds).toEqual(stageInput.vpc.privateSubnetIds);
    expect(functionsOf(plain)).toHaveLength(FUNCTION_NAMES.length);
  });

  test('is looked up where it gives the id alone', () => {
    // As the CDK's command line does, which judges the template only once it has looked the network up.
    const app = createApp({ context: { '@aws-cdk/core:failSynthOnValidationErrors': false } });
    createStack(configInput({ stage: { vpc: { vpcId: 'vpc-0123456789abcdef0' } } }), { app });

    expect(app.synth().manifest.missing).toMatchObject([
      {
        provider: 'vpc-provider',
        props: {
          account: '111122223333',
          region: 'eu-west-1',
          filter: { 'vpc-id': 'vpc-0123456789abcdef0' },
        },
      },
    ]);
  });

  test('has interface endpoints of what the functions call where the stage says so, before migrate runs', () => {
    const served = { provider: 'sagemaker', modelId: 'e5', dimensions: 768, endpointName: 'e5' } as const;
    const template = Template.fromStack(
      createStack(
        configInput({
          models: ['e5'],
          modelSettings: { e5: { ...served, revision: '5e'.repeat(32) } },
          stage: { vpc: { ...stageInput.vpc, endpoints: true } },
        }),
      ),
    );
    const endpoints = resourcesOf<{ ServiceName: string; VpcEndpointType: string; SubnetIds: unknown[] }>(
      template,
      'AWS::EC2::VPCEndpoint',
    );

    expect(endpoints.map(({ properties }) => properties.ServiceName).sort()).toEqual(
      ['lambda', 'sagemaker.runtime', 'secretsmanager', 'sqs'].map(name => `com.amazonaws.eu-west-1.${name}`),
    );
    for (const { properties } of endpoints)
      expect(properties).toMatchObject({
        VpcEndpointType: 'Interface',
        SubnetIds: stageInput.vpc.privateSubnetIds,
        PrivateDnsEnabled: true,
      });
    const [trigger] = resourcesOf(template, 'Custom::Trigger');
    expect(trigger?.dependsOn).toEqual(expect.arrayContaining(endpoints.map(({ id }) => id)));
    expect(resourcesOf(plain, 'AWS::EC2::VPCEndpoint')).toEqual([]);
  });

  test('lets the functions out by IPv6 where the stage says so, and only there', () => {
    const dual = Template.fromStack(
      createStack(configInput({ stage: { vpc: { ...stageInput.vpc, ipv6: true } } })),
    );
    const allowedIn = (template: Template) =>
      functionsOf(template).map(({ properties }) => properties.VpcConfig?.Ipv6AllowedForDualStack ?? false);
    const rangesOf = (template: Template) =>
      resourcesOf<{ SecurityGroupEgress: { CidrIpv6?: string; FromPort: number }[] }>(
        template,
        'AWS::EC2::SecurityGroup',
      ).flatMap(({ properties }) =>
        properties.SecurityGroupEgress.filter(({ CidrIpv6 }) => CidrIpv6 !== undefined).map(
          ({ CidrIpv6, FromPort }) => `${CidrIpv6} ${FromPort}`,
        ),
      );

    expect(allowedIn(dual)).toEqual(FUNCTION_NAMES.map(() => true));
    expect(rangesOf(dual)).toEqual(['::/0 443']);
    expect(allowedIn(plain)).toEqual(FUNCTION_NAMES.map(() => false));
    expect(rangesOf(plain)).toEqual([]);
  });

  test('is entered by the subnets that the construct is given', () => {
    const stack = createStack();
    const vpc = new Vpc(stack, 'Own', {
      natGateways: 0,
      subnetConfiguration: [{ name: 'inner', subnetType: SubnetType.PRIVATE_ISOLATED }],
    });
    new EmbeddingPipeline(stack, 'Inner', {
      config: configInput(),
      vpc: vpc as never,
      vpcSubnets: { subnetType: SubnetType.PRIVATE_ISOLATED },
      database: {
        host: 'db.example.com',
        name: 'app',
        secretArn: demoSecret,
        securityGroup: stack.pipeline.network.securityGroup,
      },
      assets: noAssets,
    });
    const subnets = functionsOf(Template.fromStack(stack))
      .filter(({ id }) => id.startsWith('Inner'))
      .map(({ properties }) => JSON.stringify(properties.VpcConfig?.SubnetIds));

    expect(subnets).toHaveLength(FUNCTION_NAMES.length);
    for (const ids of subnets) expect(ids).toMatch(/^\[\{"Ref":"OwninnerSubnet1/);
  });
});

describe('a database outside of the VPC, which has no security group', () => {
  const { securityGroupId: _, ...outside } = stageInput.database;
  const groupsOf = (database: typeof outside, ipv6 = false) => {
    const stage = { database, vpc: { ...stageInput.vpc, ipv6 } };
    const template = Template.fromStack(createStack(configInput({ stage })));
    return {
      egress: resourcesOf<{
        SecurityGroupEgress: { CidrIp?: string; CidrIpv6?: string; FromPort: number }[];
      }>(template, 'AWS::EC2::SecurityGroup').flatMap(({ properties }) =>
        properties.SecurityGroupEgress.map(
          ({ CidrIp, CidrIpv6, FromPort }) => `${CidrIp ?? CidrIpv6} ${FromPort}`,
        ),
      ),
      ingress: resourcesOf(template, 'AWS::EC2::SecurityGroupIngress').length,
    };
  };

  test('is reached at its port, and nothing is let in', () => {
    expect(groupsOf(outside)).toEqual({ egress: ['0.0.0.0/0 443', '0.0.0.0/0 5432'], ingress: 0 });
    expect(groupsOf({ ...outside, port: 6432 }, true).egress).toEqual([
      ...['0.0.0.0/0 443', '::/0 443'],
      ...['0.0.0.0/0 6432', '::/0 6432'],
    ]);
    expect(groupsOf({ ...outside, port: 443 }).egress).toEqual(['0.0.0.0/0 443']);
  });

  test('is reached by its group alone where it has one', () => {
    const { egress, ingress } = groupsOf(stageInput.database);

    expect(egress.filter(rule => rule.endsWith(' 5432'))).toEqual([]);
    expect(ingress).toBe(1);
  });
});

test.each([
  ['rds', undefined],
  ['proxy', 'proxy' as const],
  ['public', 'public' as const],
])('every function is told whose certificates the database has: %s', (expected, certificateAuthority) => {
  const database = { ...stageInput.database, ...(certificateAuthority && { certificateAuthority }) };
  const template = Template.fromStack(createStack(configInput({ stage: { database } })));
  const told = functionsOf(template).map(
    ({ properties }) =>
      /certificateAuthority\W+(\w+)/.exec(
        JSON.stringify(properties.Environment?.Variables.FRESHET_DEPLOYMENT),
      )?.[1],
  );

  expect(told).toEqual(FUNCTION_NAMES.map(() => expected));
});
