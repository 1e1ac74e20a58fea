import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Validations } from 'aws-cdk-lib';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { AwsSolutionsChecks } from 'cdk-nag';
import { expect, test } from 'vitest';
import { observedConfig } from '../factories/observed-stack.ts';
import { configInput, createApp, createStack } from '../factories/pipeline-stack.ts';

interface Violation {
  readonly ruleName: string;
  readonly reason?: string;
  readonly violatingConstructs: readonly { readonly constructPath: string }[];
}

test('AwsSolutions finds nothing but what is acknowledged here, each with its reason', () => {
  const app = createApp();
  createStack({ ...observedConfig(['openai'], { api: true }), documents: { model: 'openai' } }, { app });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));

  const { directory } = app.synth();

  const report = JSON.parse(readFileSync(path.join(directory, 'validation-report.json'), 'utf8'));
  const nag = report.pluginReports.find(
    (plugin: { pluginName: string }) => plugin.pluginName === 'AwsSolutions',
  );
  const acknowledged = (nag.suppressedViolations as Violation[]).flatMap(
    ({ ruleName, reason, violatingConstructs }) => {
      expect(reason).toMatch(/\w+ \w+ .+\.$/);
      return violatingConstructs.map(
        ({ constructPath }) => `${ruleName} ${constructPath.replace('freshet-test/', '')}`,
      );
    },
  );
  expect(nag.violations).toEqual([]);
  expect(acknowledged.map(finding => finding.replace(/[0-9A-F]{8}\./, '.')).sort()).toEqual([
    'AwsSolutions-IAM5[Resource::*] Pipeline/Api/Service/Role/DefaultPolicy/Resource',
    'AwsSolutions-IAM5[Resource::*] Pipeline/Functions/detect/Role/DefaultPolicy/Resource',
    'AwsSolutions-IAM5[Resource::*] Pipeline/Functions/embed/Role/DefaultPolicy/Resource',
    'AwsSolutions-IAM5[Resource::*] Pipeline/Functions/guard/Role/DefaultPolicy/Resource',
    'AwsSolutions-IAM5[Resource::*] Pipeline/Functions/migrate/Role/DefaultPolicy/Resource',
    'AwsSolutions-IAM5[Resource::*] Pipeline/Functions/operate/Role/DefaultPolicy/Resource',
    'AwsSolutions-IAM5[Resource::*] Pipeline/Functions/write/Role/DefaultPolicy/Resource',
    'AwsSolutions-IAM5[Resource::<PipelineClaimsBucket.Arn>/claims/*] Pipeline/Functions/embed/Role/DefaultPolicy/Resource',
    'AwsSolutions-IAM5[Resource::<PipelineClaimsBucket.Arn>/claims/*] Pipeline/Functions/write/Role/DefaultPolicy/Resource',
    'AwsSolutions-S1 Pipeline/Claims/Bucket/Resource',
  ]);
});

test('AwsSolutions stops the synthesis at what nobody acknowledged', () => {
  const app = createApp();
  const stack = createStack(configInput(), { app });
  new Queue(stack, 'Parked');
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));

  expect(() => app.synth()).toThrow(/valid/i);
});
