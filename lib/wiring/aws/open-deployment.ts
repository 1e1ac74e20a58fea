import type { ConsoleAccess, ConsoleClients } from '../../adapters/aws/create-console-clients.ts';
import { readOutputs } from '../../adapters/cloudformation/read-outputs.ts';
import { invokeFunction } from '../../adapters/lambda-invoke/invoke-function.ts';
import { readVariable } from '../../adapters/lambda-invoke/read-variable.ts';
import { findIdentity } from '../../adapters/sts/find-identity.ts';
import { createSystemClock } from '../../adapters/system/system-clock.ts';
import { type DeploymentSettings, parseDeploymentSettings } from '../../core/config/deployment-settings.ts';
import { UsageError } from '../../core/errors/usage-error.ts';
import { readOperateReply } from '../../pipeline/operate/reply.ts';
import type { Clock } from '../../ports/clock.ts';
import type { AskOperator } from '../../ports/operator.ts';

/** A stage as it stands in an account, found by its stack alone. */
export interface Deployment {
  readonly account: string;
  readonly region: string;
  readonly stage: string;
  readonly settings: DeploymentSettings;
  /**
   * Name in this repository → name of the function.
   * The record holds `operate` and as many others as the deployment tells.
   */
  readonly functions: Readonly<Record<string, string>>;
  readonly clients: ConsoleClients;
  readonly clock: Clock;
  /** Asks the function `operate`, which has the database. */
  readonly ask: AskOperator;
  /**
   * The line that a person types to give this deployment another `freshet aws` command.
   * The line names this access: stage, region and profile, as far as they were given.
   */
  readonly lineOf: (words: string) => string;
}

interface DeploymentRequest extends ConsoleAccess {
  readonly stage: string;
}

/** What tests give in place of AWS and of time. */
export interface ConsoleSurroundings {
  readonly createClients: (access: ConsoleAccess) => ConsoleClients;
  readonly clock: Clock;
}

const OUTPUT = 'OperateFunctionName';

/**
 * Finds a stage by its stack, and opens what commands need of it.
 * `onIdentity` is told account and region before anything else is asked of AWS.
 * @throws UsageError where there are no credentials, no such stack, or not the rights.
 */
export async function openDeployment(
  request: DeploymentRequest,
  onIdentity: (identity: { readonly account: string; readonly region: string }) => void,
  surroundings?: ConsoleSurroundings,
): Promise<Deployment> {
  const { createClients, clock } = surroundings ?? (await readSurroundings());
  const clients = createClients(request);
  const identity = await findIdentity(clients.sts);
  onIdentity(identity);
  const stackName = `freshet-${request.stage}`;
  const outputs = await readOutputs(clients.cloudFormation, stackName);
  if (outputs === undefined)
    throw new UsageError(
      `There is no stack ${stackName} in ${identity.region} of account ${identity.account}.`,
      `--stage and --region name another one; this one is made by: npm run deploy -- --stage ${request.stage}`,
    );
  const operate = outputs.get(OUTPUT);
  if (operate === undefined)
    throw new UsageError(
      `The stack ${stackName} has no output ${OUTPUT}: it was deployed by an older version.`,
      `npm run deploy -- --stage ${request.stage}`,
    );
  const settings = parseDeploymentSettings(await readVariable(clients.lambda, operate, 'FRESHET_DEPLOYMENT'));
  const ask = async (name: string, details: object) =>
    readOperateReply(await invokeFunction(clients.lambda, operate, { request: name, ...details }));
  const functions = { ...settings.functions, operate };
  return {
    ...identity,
    stage: request.stage,
    settings,
    functions,
    clients,
    clock,
    ask: ask as AskOperator,
    lineOf: words => `npm run freshet -- aws ${words}${describeAccess(request)}`,
  };
}

function describeAccess({ stage, region, profile }: DeploymentRequest): string {
  const given = Object.entries({ stage, region, profile }).filter(([, value]) => value !== undefined);
  return given.map(([name, value]) => ` --${name} ${value}`).join('');
}

/** Loads the SDK's clients, which take a while: only these commands wait for them. */
async function readSurroundings(): Promise<ConsoleSurroundings> {
  const { createConsoleClients } = await import('../../adapters/aws/create-console-clients.ts');
  return { createClients: createConsoleClients, clock: createSystemClock() };
}
