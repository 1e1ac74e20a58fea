import { Template } from 'aws-cdk-lib/assertions';
import { describe, expect, test } from 'vitest';
import { ITEM_ROUTES, NUDGE_ROUTES, REFUSED_ROUTES, SERVICE_ROUTES } from '../../lib/core/service-routes.ts';
import { apiInput, configInput, createStack, demoSecret, openAiSecret } from '../factories/pipeline-stack.ts';
import { resourcesOf } from '../templates/resources-of.ts';
import { policiesOf, rightsOf } from '../templates/rights.ts';

const database = {
  host: 'app.cluster-abcdefghijkl.eu-west-1.rds.amazonaws.com',
  name: 'app',
  secretArn: demoSecret,
  securityGroupId: 'sg-0123456789abcdef0',
  maxConnections: 80,
};
const withApi = (api: object = {}, more: Parameters<typeof configInput>[0] = {}) =>
  configInput({
    models: ['openai'],
    ...more,
    stage: {
      providerSecrets: { openai: openAiSecret },
      database,
      api: { ...apiInput, ...api },
      ...more.stage,
    },
  });
const template = Template.fromStack(createStack(withApi()));
const only = <Properties>(type: string) => {
  const found = resourcesOf<Properties>(template, type);
  expect(found, type).toHaveLength(1);
  return found[0]!;
};

describe('the API of a stage', () => {
  test('is there only where it is asked for', () => {
    const without = Template.fromStack(createStack(configInput()));

    for (const type of ['Api', 'Route', 'Stage', 'Authorizer', 'Integration'])
      without.resourceCountIs(`AWS::ApiGatewayV2::${type}`, 0);
    expect(JSON.stringify(without.toJSON())).not.toContain('ServiceUrl');
    expect(Object.keys(template.findOutputs('*')).filter(id => id.includes('ServiceUrl'))).toHaveLength(1);
  });

  test('asks for a token of the issuer and the audience at every address that it has', () => {
    const authorizer = only<{ JwtConfiguration: unknown; IdentitySource: unknown }>(
      'AWS::ApiGatewayV2::Authorizer',
    );
    const routes = resourcesOf<{
      RouteKey: string;
      AuthorizationType: string;
      AuthorizerId: { Ref: string };
    }>(template, 'AWS::ApiGatewayV2::Route');

    expect(authorizer.properties).toMatchObject({
      JwtConfiguration: { Issuer: apiInput.issuer, Audience: [apiInput.audience] },
      IdentitySource: ['$request.header.Authorization'],
    });
    expect(routes.map(({ properties }) => properties.RouteKey).sort()).toEqual(
      Object.entries({ ...SERVICE_ROUTES, ...NUDGE_ROUTES, ...REFUSED_ROUTES })
        .map(([path, method]) => `${method} ${path}`)
        .sort(),
    );
    for (const { properties } of routes)
      expect(properties).toMatchObject({ AuthorizationType: 'JWT', AuthorizerId: { Ref: authorizer.id } });
  });

  test('takes texts of clients only where the configuration has documents, and asks for a token there too', () => {
    const documents = Template.fromStack(createStack({ ...withApi(), documents: { model: 'openai' } }));
    const routes = resourcesOf<{ RouteKey: string; AuthorizationType: string }>(
      documents,
      'AWS::ApiGatewayV2::Route',
    );
    const keys = (table: Readonly<Record<string, string>>) =>
      Object.entries(table).map(([path, method]) => `${method} ${path}`);

    expect(routes.map(({ properties }) => properties.RouteKey).sort()).toEqual(
      [SERVICE_ROUTES, NUDGE_ROUTES, REFUSED_ROUTES, ITEM_ROUTES].flatMap(keys).sort(),
    );
    for (const { properties } of routes) expect(properties.AuthorizationType).toBe('JWT');
  });

  test('calls the alias of its function, which only this API may call', () => {
    const { id } = resourcesOf(template, 'AWS::Lambda::Alias').find(alias =>
      /^PipelineLiveapi/.test(alias.id),
    )!;
    const { properties } = only<{ IntegrationUri: unknown; PayloadFormatVersion: string }>(
      'AWS::ApiGatewayV2::Integration',
    );
    const permissions = resourcesOf<{ FunctionName: unknown; Principal: string; SourceArn: unknown }>(
      template,
      'AWS::Lambda::Permission',
    ).filter(permission => permission.properties.Principal === 'apigateway.amazonaws.com');

    expect(properties).toMatchObject({ IntegrationUri: { Ref: id }, PayloadFormatVersion: '2.0' });
    expect(permissions.length).toBeGreaterThan(0);
    for (const permission of permissions) {
      expect(permission.properties.FunctionName).toEqual({ Ref: id });
      expect(JSON.stringify(permission.properties.SourceArn)).toContain('PipelineApiHttp');
    }
  });

  test('may start the live version of detect and nothing else, and is told of it unless the stage is paused', () => {
    const detect = resourcesOf(template, 'AWS::Lambda::Alias').find(({ id }) =>
      /^PipelineLivedetect/.test(id),
    )!;
    const settingsOf = (from: Template) => {
      const service = resourcesOf<{ Environment: { Variables: { FRESHET_DEPLOYMENT: unknown } } }>(
        from,
        'AWS::Lambda::Function',
      ).find(({ id }) => /^PipelineApiService/.test(id))!;
      return JSON.stringify(service.properties.Environment.Variables.FRESHET_DEPLOYMENT);
    };
    const policies = policiesOf(template).filter(({ owner }) => owner.startsWith('PipelineApiService'));
    const starts = policies
      .flatMap(({ statements }) => statements)
      .filter(({ Action }) => JSON.stringify(Action).includes('lambda:'));
    const paused = Template.fromStack(createStack(withApi(), { paused: true }));

    expect(starts).toEqual([
      { Action: 'lambda:InvokeFunction', Effect: 'Allow', Resource: { Ref: detect.id } },
    ]);
    expect(settingsOf(template)).toMatch(/detectFunction/);
    expect(settingsOf(template)).toContain(detect.id);
    expect(settingsOf(paused)).not.toMatch(/detectFunction/);
  });

  test('takes a bounded rate, and logs nothing that a client wrote', () => {
    const { properties } = only<{
      DefaultRouteSettings: unknown;
      AccessLogSettings: { Format: string; DestinationArn: unknown };
    }>('AWS::ApiGatewayV2::Stage');

    expect(properties.DefaultRouteSettings).toEqual({ ThrottlingBurstLimit: 100, ThrottlingRateLimit: 50 });
    expect(JSON.stringify(properties.AccessLogSettings.DestinationArn)).toContain('PipelineApiAccessLogs');
    expect(Object.values(JSON.parse(properties.AccessLogSettings.Format))).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/path|body|query|header|identity|claims|errorMessage/i)]),
    );
  });

  test('has a function beside the database, with as many environments as it may have', () => {
    const service = resourcesOf<{
      Description: string;
      ReservedConcurrentExecutions: number;
      Timeout: number;
      VpcConfig: unknown;
      Environment: { Variables: { FRESHET_DEPLOYMENT: unknown } };
    }>(template, 'AWS::Lambda::Function').find(({ id }) => id.startsWith('PipelineApiService'))!;

    expect(service.properties).toMatchObject({ ReservedConcurrentExecutions: 5, Timeout: 29 });
    expect(service.properties.VpcConfig).toBeDefined();
    expect(JSON.stringify(service.properties.Environment.Variables.FRESHET_DEPLOYMENT)).toContain(
      String.raw`\"claims\":{\"tenant\":\"tenant\"}`,
    );
    expect(rightsOf(policiesOf(template), 'PipelineApiServiceRole')).toEqual({
      'lambda:InvokeFunction': [expect.stringMatching(/^<Livedetect\w+>$/)],
      'secretsmanager:GetSecretValue': [demoSecret, openAiSecret].sort(),
    });
  });

  test('lets the migration come first', () => {
    const alias = resourcesOf(template, 'AWS::Lambda::Alias').find(({ id }) => /^PipelineLiveapi/.test(id))!;
    const [trigger] = resourcesOf(template, 'Custom::Trigger');

    expect(alias.dependsOn).toContain(trigger!.id);
  });
});

describe('a stage with an API is refused', () => {
  test('where its environments could take more connections than the stage may', () => {
    const { maxConnections: _, ...usual } = database;
    const stage = { database: usual };

    expect(() => createStack(withApi({}, { stage }))).toThrow(
      'operate 2 + api 10; embed has 1 model × (fresh 4 + bulk 8), write 6), and database.maxConnections is 60: ' +
        'set database.maxConnections to 68 or more if the server allows it, or lower maxConcurrency, down to ' +
        'embed: 4, or api.environments.',
    );
    expect(() => createStack(withApi({ environments: 1 }, { stage }))).not.toThrow();
  });

  test('where a claim stands inside of another one, which an API does not hand on', () => {
    expect(() => createStack(withApi({ claims: { tenant: 'app_metadata.tenant' } }))).toThrow(
      'aws.stages.test.api.claims.tenant is "app_metadata.tenant", which an API of AWS does not hand on',
    );
    expect(() => createStack(withApi({ claims: { tenant: 'https://example.com/tenant' } }))).not.toThrow();
  });

  test('with a model that runs on the machine, and with an issuer that is no address', () => {
    const local = {
      provider: 'local' as const,
      modelId: 'a/b',
      modelFolder: './model',
      dimensions: 384,
      maxTokensPerText: 256,
      files: { 'model.onnx': '0'.repeat(64), 'tokenizer.json': '1'.repeat(64) },
    };

    expect(() =>
      createStack(withApi({}, { models: ['own'], modelSettings: { own: local as never } })),
    ).toThrow('The model own runs on the machine itself (provider "local")');
    expect(() => createStack(withApi({ issuer: 'login.example.com' }))).toThrow(
      'aws.stages.test.api.issuer: expected the `iss` of tokens',
    );
  });
});
