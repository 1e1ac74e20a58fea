import { copyFileSync } from 'node:fs';
import path from 'node:path';
import { App } from 'aws-cdk-lib';
import { MessagingStack } from '../lib/constructs/messaging-stack.ts';
import { loadConfig } from '../lib/wiring/load-config.ts';

/**
 * `cdk synth` starts here. Context: `config` (a freshet.config.ts; default: the one in the current folder, else the demo's) and `stage`
 * (default `dev`), which names the stack. Without credentials: nothing here asks AWS.
 */
const app = new App();
const configFile: unknown = app.node.tryGetContext('config');
const stage: unknown = app.node.tryGetContext('stage') ?? 'dev';
if (typeof stage !== 'string' || !/^[a-z][a-z0-9-]{0,19}$/.test(stage)) {
  throw new Error(
    `The stage ${JSON.stringify(stage)} is not a name: give lower-case letters, digits and dashes, as in -c stage=prod`,
  );
}
const { config } = await loadConfig(typeof configFile === 'string' ? configFile : undefined, process.cwd());
new MessagingStack(app, `freshet-${stage}`, { config });
const assembly = app.synth();
copyFileSync(
  path.join(import.meta.dirname, '..', 'cdk.out.gitignore'),
  path.join(assembly.directory, '.gitignore'),
);
