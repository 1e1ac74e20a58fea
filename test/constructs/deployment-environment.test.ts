import { Template } from 'aws-cdk-lib/assertions';
import { expect, test } from 'vitest';
import { parseDeploymentSettings } from '../../lib/core/config/deployment-settings.ts';
import { parseConfig } from '../../lib/core/config/parse-config.ts';
import { parseDetectRequest } from '../../lib/pipeline/detect/detect-request.ts';
import { parseGuardRequest } from '../../lib/pipeline/guard/guard.ts';
import { createSecretAccess } from '../../lib/wiring/secret-access.ts';
import { configInput, createStack, openAiSecret } from '../factories/pipeline-stack.ts';
import { resourcesOf } from '../templates/resources-of.ts';

type Joined = { readonly 'Fn::Join': readonly [string, readonly unknown[]] };

const input = configInput({ models: ['openai'], stage: { providerSecrets: { openai: openAiSecret } } });
const template = Template.fromStack(createStack(input));

/** As CloudFormation would fill it in: a URL for each queue, an id for each mapping. */
function settingsOf(name: string, from = template): string {
  const [found] = resourcesOf<{ Environment: { Variables: { FRESHET_DEPLOYMENT: Joined } } }>(
    from,
    'AWS::Lambda::Function',
  ).filter(({ id }) => id.startsWith(`PipelineFunctions${name}`));
  return found!.properties.Environment.Variables.FRESHET_DEPLOYMENT['Fn::Join'][1]
    .map(part =>
      typeof part === 'string'
        ? part
        : `https://sqs.eu-west-1.amazonaws.com/${JSON.stringify(part).replaceAll(/\W/g, '')}`,
    )
    .join('');
}

test('the functions understand what the stack tells them', () => {
  const settings = parseDeploymentSettings(settingsOf('embed'));

  expect(settings).toMatchObject({
    stage: 'test',
    region: 'eu-west-1',
    database: { host: 'db.example.com', port: 5432, name: 'app', certificateAuthority: 'rds' },
    keySecrets: { openai: openAiSecret },
    embedVisibilitySeconds: 720,
    resultsVisibilitySeconds: 361,
    maxReceiveCount: 5,
  });
  expect(Object.keys(settings.queues)).toEqual(['openai']);
  expect(settings.eventSources).toBeUndefined();
  expect(parseDeploymentSettings(settingsOf('guard')).eventSources?.embed.openai).toHaveLength(2);
});

test('the functions understand what the schedules send them', () => {
  const inputs = resourcesOf<{ Target: { Input: string; Arn: { Ref: string } } }>(
    template,
    'AWS::Scheduler::Schedule',
  ).map(({ properties: { Target } }) => ({
    guard: Target.Arn.Ref.startsWith('PipelineLiveguard'),
    event: JSON.parse(Target.Input) as unknown,
  }));

  const understood = inputs.map(({ guard, event }) =>
    guard ? parseGuardRequest(event, ['openai']) : parseDetectRequest(event),
  );

  expect(understood).toHaveLength(4);
});

test('more models than the environment of a function can hold are refused at synth', () => {
  const aliases = Array.from({ length: 30 }, (_, index) => `model-${index}`);
  const modelSettings = Object.fromEntries(
    aliases.map(alias => [alias, { provider: 'hash' as const, modelId: alias, dimensions: 8 }]),
  );
  const database = { ...input.aws!.stages.test!.database, maxConnections: 1000 };

  expect(() => createStack(configInput({ models: aliases, modelSettings, stage: { database } }))).toThrow(
    /the settings of 30 models can take \d+ bytes, and the environment of a function holds 4096/,
  );
});

test('an alias that the name of a queue has no room for is refused at synth', () => {
  const alias = 'a'.repeat(37);
  const modelSettings = { [alias]: { provider: 'hash' as const, modelId: 'long', dimensions: 8 } };

  expect(() => createStack(configInput({ models: [alias], modelSettings }))).toThrow(
    /has 37 letters and digits, and the names of queues have room for 36/,
  );
});

test('the URLs that a function composes are those of the queues that the stack makes', () => {
  const settings = parseDeploymentSettings(settingsOf('embed'));
  const names = resourcesOf<{ QueueName?: Joined }>(template, 'AWS::SQS::Queue').flatMap(
    ({ properties: { QueueName } }) => (QueueName === undefined ? [] : [QueueName['Fn::Join'][1].at(-1)]),
  );
  const urls = [...Object.values(settings.queues).flatMap(Object.values), settings.resultsQueueUrl];

  expect(names).toHaveLength(3);
  expect(urls.map(url => names.filter(name => url.endsWith(String(name))).length)).toEqual([1, 1, 1]);
});

test('the headers of a model are in its secret, and nothing of them but the names of variables is deployed', async () => {
  const modelSettings = {
    acme: {
      ...{
        provider: 'openai' as const,
        modelId: 'acme',
        dimensions: 8,
        baseUrl: 'https://models.example/v1',
      },
      headers: { 'x-api-key': { env: 'ACME_KEY' } },
    },
  };
  const stage = { providerSecrets: { acme: openAiSecret } };
  process.env.ACME_KEY = 'canary of the environment';
  const acme = createStack(configInput({ models: ['acme'], modelSettings, stage }));
  const deployed = JSON.stringify(Template.fromStack(acme).toJSON());
  delete process.env.ACME_KEY;
  const settings = parseDeploymentSettings(settingsOf('embed', Template.fromStack(acme)));
  const asked: string[] = [];
  const read = async (arn: string) => {
    asked.push(arn);
    return '{"ACME_KEY":"canary of the secret"}';
  };
  const { models } = parseConfig(configInput({ models: ['acme'], modelSettings, stage }));

  const headers = await createSecretAccess(settings, { read }).headersOf(models.acme!)?.();

  expect(headers).toEqual({ 'x-api-key': 'canary of the secret' });
  expect(asked).toEqual([openAiSecret]);
  expect(deployed).not.toContain('canary');
  expect(deployed).not.toContain('x-api-key');
  expect(findReaders(acme, openAiSecret).sort()).toEqual(['embed', 'guard', 'migrate']);
});

/** The functions whose roles may read the secret. */
function findReaders(stack: ReturnType<typeof createStack>, arn: string): string[] {
  const policies = resourcesOf<object>(Template.fromStack(stack), 'AWS::IAM::Policy');
  return policies
    .filter(({ properties }) => JSON.stringify(properties).includes(arn))
    .map(({ id }) => /^PipelineFunctions([a-z]+)/.exec(id)?.[1] ?? id);
}
