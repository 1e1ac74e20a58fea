import { Template } from 'aws-cdk-lib/assertions';
import { expect, test } from 'vitest';
import { parseDeploymentSettings } from '../../lib/core/config/deployment-settings.ts';
import { parseDetectRequest } from '../../lib/pipeline/detect/detect.ts';
import { parseGuardRequest } from '../../lib/pipeline/guard/guard.ts';
import { configInput, createStack, openAiSecret } from '../factories/pipeline-stack.ts';
import { resourcesOf } from '../templates/resources-of.ts';

type Joined = { readonly 'Fn::Join': readonly [string, readonly unknown[]] };

const input = configInput({ models: ['openai'], stage: { providerSecrets: { openai: openAiSecret } } });
const template = Template.fromStack(createStack(input));

/** As CloudFormation would fill it in: a URL for each queue, an id for each mapping. */
function settingsOf(name: string): string {
  const [found] = resourcesOf<{ Environment: { Variables: { FRESHET_DEPLOYMENT: Joined } } }>(
    template,
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
  const inputs = resourcesOf<{ Target: { Input: string; Arn: { 'Fn::GetAtt': string[] } } }>(
    template,
    'AWS::Scheduler::Schedule',
  ).map(({ properties: { Target } }) => ({
    guard: Target.Arn['Fn::GetAtt'][0]!.startsWith('PipelineFunctionsguard'),
    event: JSON.parse(Target.Input) as unknown,
  }));

  const understood = inputs.map(({ guard, event }) =>
    guard ? parseGuardRequest(event, ['openai']) : parseDetectRequest(event),
  );

  expect(understood).toHaveLength(4);
});

test('more models than the environment of a function can hold are refused at synth', () => {
  const aliases = Array.from({ length: 20 }, (_, index) => `model-${index}`);
  const modelSettings = Object.fromEntries(
    aliases.map(alias => [alias, { provider: 'hash' as const, modelId: alias, dimensions: 8 }]),
  );
  const database = { ...input.aws!.stages.test!.database, maxConnections: 1000 };

  expect(() => createStack(configInput({ models: aliases, modelSettings, stage: { database } }))).toThrow(
    /the settings of 20 models can take \d+ bytes, and the environment of a function holds 4096/,
  );
});
