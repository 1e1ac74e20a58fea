import { copyFileSync } from 'node:fs';
import path from 'node:path';
import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { ExampleDatabaseStack } from '../lib/constructs/example-stack.ts';
import { GpuEndpointStack } from '../lib/constructs/gpu-endpoint-stack.ts';
import { PipelineStack } from '../lib/constructs/pipeline-stack.ts';
import { chooseExampleStage, chooseStage } from '../lib/core/config/stages.ts';
import { UsageError } from '../lib/core/errors.ts';
import { loadConfig } from '../lib/wiring/workspace.ts';
import { escapeControls } from './terminal/formats.ts';

/**
 * Describes the app that `cdk synth` starts: a stage's pipeline, with its GPU endpoint.
 *
 * The context is `config` (a freshet.config.ts; default: the one in the current folder, else the
 * demo's), `stage` (default `dev`), `paused` (schedules and event sources switched off) and
 * `example` (with a database and a network to try it on). No credentials are needed: AWS is asked
 * only where a stage names its VPC by id alone.
 */
async function describeApp(app: App): Promise<void> {
  const context = (key: string): string | undefined => {
    const value: unknown = app.node.tryGetContext(key);
    return value === undefined ? undefined : String(value);
  };
  const stageName = context('stage') ?? 'dev';
  const flag = (key: string): boolean => {
    const value = context(key) ?? 'false';
    if (value !== 'true' && value !== 'false')
      throw new UsageError(`-c ${key}=${value} is neither true nor false.`);
    return value === 'true';
  };
  const paused = flag('paused');
  const { config, input } = await loadConfig(context('config'), process.cwd());
  const id = `freshet-${stageName}`;
  const example = flag('example');
  const stage = example ? chooseExampleStage(config, stageName) : chooseStage(config, stageName);
  const { gpu } = stage;
  const endpoint = gpu && new GpuEndpointStack(app, `${id}-gpu`, { config, stageName, stage, gpu });
  const dependencies =
    example && new ExampleDatabaseStack(app, `${id}-database`, { config: input, stageName });
  const pipeline = new PipelineStack(app, id, {
    config: input,
    stageName,
    stage,
    paused,
    ...(dependencies && { dependencies }),
  });
  if (endpoint) pipeline.addStackDependency(endpoint, 'its models are tried when the pipeline is deployed');
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
}

try {
  const app = new App();
  await describeApp(app);
  const assembly = app.synth();
  copyFileSync(
    path.join(import.meta.dirname, '..', 'cdk.out.gitignore'),
    path.join(assembly.directory, '.gitignore'),
  );
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  const told = error.remedy === undefined ? error.message : `${error.message}\n${error.remedy}`;
  process.stderr.write(`${told.split('\n').map(escapeControls).join('\n')}\n`);
  process.exitCode = 2;
}
