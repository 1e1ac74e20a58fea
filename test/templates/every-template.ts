import type { Stack } from 'aws-cdk-lib';
import { ExampleDatabaseStack } from '../../lib/constructs/example-stack.ts';
import { PipelineStack } from '../../lib/constructs/pipeline-stack.ts';
import { parseConfig } from '../../lib/core/config/parse-config.ts';
import { chooseExampleStage } from '../../lib/core/config/stages.ts';
import { createGpuStack } from '../factories/gpu-endpoint-stack.ts';
import { observedConfig } from '../factories/observed-stack.ts';
import { configInput, createApp, createStack, noAssets, stageInput } from '../factories/pipeline-stack.ts';

export interface WrittenTemplate {
  /** Name of the stack, which says what is special about it. */
  readonly name: string;
  readonly body: {
    readonly Resources: Readonly<Record<string, WrittenResource>>;
    readonly Outputs?: Readonly<Record<string, { readonly Value: unknown }>>;
  };
}

interface WrittenResource {
  readonly Type: string;
  readonly Properties?: Readonly<Record<string, unknown>>;
  readonly DependsOn?: string | readonly string[];
}

/**
 * Writes the template of each kind of stack, with all that a stage can ask for.
 *
 * A stack that takes from another one comes after it. Nothing is bundled: the functions hold a
 * line of code.
 */
export function everyTemplate(): readonly WrittenTemplate[] {
  const withEverything = createStack({
    ...observedConfig(['openai', 'e5'], { gpu: true, api: true }),
    documents: { model: 'openai' },
  });
  const withIam = createStack(
    configInput({
      stage: {
        vpc: { ...stageInput.vpc, ipv6: true, endpoints: true },
        database: {
          host: 'db.example.com',
          name: 'app',
          iam: { user: 'freshet', resourceId: 'cluster-ABCDEFGHIJKL' },
        },
      },
    }),
    { paused: true },
  );
  return [
    { name: 'everything', body: bodyOf(withEverything) },
    { name: 'iam-ipv6-paused', body: bodyOf(withIam) },
    { name: 'gpu', body: bodyOf(createGpuStack()) },
    ...createExample().map(stack => ({ name: stack.stackName, body: bodyOf(stack) })),
  ];
}

/** The example database, with a pipeline on it. */
function createExample(): readonly Stack[] {
  const app = createApp();
  const config = configInput();
  const dependencies = new ExampleDatabaseStack(app, 'example-database', {
    config,
    stageName: 'try',
    assets: noAssets,
  });
  const pipeline = new PipelineStack(app, 'example', {
    config,
    stageName: 'try',
    stage: chooseExampleStage(parseConfig(config), 'try'),
    dependencies,
    assets: noAssets,
  });
  return [dependencies, pipeline];
}

function bodyOf(stack: Stack): WrittenTemplate['body'] {
  const assembly = (stack.node.root as ReturnType<typeof createApp>).synth();
  return assembly.getStackByName(stack.stackName).template;
}
