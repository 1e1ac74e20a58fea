import { copyFileSync } from 'node:fs';
import path from 'node:path';
import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { GpuEndpointStack } from '../lib/constructs/gpu-endpoint-stack.ts';
import { PipelineStack } from '../lib/constructs/pipeline-stack.ts';
import { chooseStage } from '../lib/core/config/choose-stage.ts';
import { UsageError } from '../lib/core/errors/usage-error.ts';
import { loadConfig } from '../lib/wiring/load-config.ts';

/**
 * `cdk synth` starts here: the pipeline of a stage, and its GPU endpoint where it has one. Context: `config` (a freshet.config.ts; default: the one in the current folder, else the demo's), `stage`
 * (default `dev`) and `paused` (schedules and event sources switched off). Without credentials: nothing here asks AWS, unless a stage
 * names its VPC by id alone.
 */
async function describeApp(app: App): Promise<void> {
  const context = (key: string): string | undefined => {
    const value: unknown = app.node.tryGetContext(key);
    return value === undefined ? undefined : String(value);
  };
  const stageName = context('stage') ?? 'dev';
  const paused = context('paused') ?? 'false';
  if (paused !== 'true' && paused !== 'false')
    throw new UsageError(`-c paused=${paused} is neither true nor false.`);
  const { config, input } = await loadConfig(context('config'), process.cwd());
  const stage = chooseStage(config, stageName);
  const { gpu } = stage;
  const endpoint =
    gpu && new GpuEndpointStack(app, `freshet-${stageName}-gpu`, { config, stageName, stage, gpu });
  const pipeline = new PipelineStack(app, `freshet-${stageName}`, {
    config: input,
    stageName,
    stage,
    paused: paused === 'true',
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
  process.stderr.write(`${error.message}${error.remedy === undefined ? '' : `\n${error.remedy}`}\n`);
  process.exitCode = 2;
}
