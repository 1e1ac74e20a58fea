import { Duration, Fn, Lazy, Names } from 'aws-cdk-lib';
import {
  CfnApplication,
  CfnConfigurationProfile,
  CfnHostedConfigurationVersion,
} from 'aws-cdk-lib/aws-appconfig';
import {
  Alias,
  type CfnFunction,
  type CfnVersion,
  type IAlias,
  type IVersion,
  type Function as LambdaFunction,
} from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import type { DeployedName } from '../core/config/deployment-settings.ts';
import { FUNCTION_NAMES, type FunctionName } from './function-settings.ts';

/** The functions that events and operators reach; `migrate` runs in a deployment only. */
export type LiveFunctionName = Exclude<FunctionName, 'migrate'>;

export const LIVE_FUNCTION_NAMES = FUNCTION_NAMES.filter(name => name !== 'migrate');

/** Name of the alias under which a function is invoked. */
export const LIVE_ALIAS = 'live';

interface LiveFunctionsProps {
  readonly functions: Readonly<Record<FunctionName, LambdaFunction>>;
}

/** A tick that failed is not repeated: the next one does its work. */
const LOST_TICK = { retryAttempts: 0, maxEventAge: Duration.minutes(5) };

/**
 * Publishes a version of each function, and an alias `live` that takes the events.
 * Updating a function changes nobody's events: they go on to the version before, until the alias
 * moves. What must come first, as the migration does, is made a dependency of the aliases.
 *
 * A version freezes its environment. The CDK makes a new version where the template changes, and
 * what only the deployment knows (a parameter, an import, an attribute of a resource elsewhere)
 * does not change the template. Therefore each function's values are also the content of a
 * configuration in AppConfig, which CloudFormation replaces when a value changes. The number of the
 * new one is part of the function and of its version's description, and another description is
 * another version. Nobody reads the content. Storing it costs nothing.
 */
export class LiveFunctions extends Construct {
  readonly aliases: Readonly<Record<LiveFunctionName, IAlias>>;
  /** The function of the migration, whose version the deployment runs before any alias moves. */
  readonly migrate: LambdaFunction;
  readonly #functions: Map<DeployedName, LambdaFunction>;
  readonly #application: CfnApplication;

  constructor(scope: Construct, id: string, { functions }: LiveFunctionsProps) {
    super(scope, id);
    this.#functions = new Map(FUNCTION_NAMES.map(name => [name, functions[name]]));
    this.migrate = functions.migrate;
    this.#application = new CfnApplication(this, 'Settings', {
      name: Names.uniqueResourceName(this, { maxLength: 64 }),
      description: 'What versions of the functions were published with; nobody reads it',
    });
    this.aliases = Object.fromEntries(
      LIVE_FUNCTION_NAMES.map(name => [name, this.#createAlias(name)]),
    ) as Record<LiveFunctionName, IAlias>;
  }

  /** Takes a function in that not every stage has, and publishes it as the others. */
  add(name: 'api', target: LambdaFunction): IAlias {
    this.#functions.set(name, target);
    return this.#createAlias(name);
  }

  /**
   * Gives a function its settings, and publishes another version when a value in them changes.
   * Subnets, security groups and role count as settings, because a version freezes them too.
   */
  configure(name: DeployedName, variable: string, settings: string): void {
    const target = this.#functions.get(name)!;
    const profile = new CfnConfigurationProfile(this, `${name}Profile`, {
      applicationId: this.#application.ref,
      locationUri: 'hosted',
      name,
    });
    const revision = new CfnHostedConfigurationVersion(this, `${name}Revision`, {
      applicationId: this.#application.ref,
      configurationProfileId: profile.ref,
      contentType: 'text/plain',
      content: Lazy.string({ produce: () => [settings, ...frozenPlaces(target)].join('\n') }),
    });
    target.addEnvironment(variable, settings);
    target.addEnvironment('FRESHET_REVISION', revision.ref);
    const version = target.currentVersion.node.defaultChild as CfnVersion;
    version.description = `Settings ${revision.ref}`;
  }

  #createAlias(name: LiveFunctionName | 'api'): IAlias {
    return new Alias(this, name, {
      aliasName: LIVE_ALIAS,
      version: this.#functions.get(name)!.currentVersion as IVersion,
      ...((name === 'detect' || name === 'guard') && LOST_TICK),
    }) as IAlias;
  }
}

/** What a version freezes beside its environment. */
function frozenPlaces({ node }: LambdaFunction): string[] {
  const { role, vpcConfig } = node.defaultChild as CfnFunction;
  const { subnetIds, securityGroupIds } = vpcConfig as CfnFunction.VpcConfigProperty;
  return [role, Fn.join(',', subnetIds ?? []), Fn.join(',', securityGroupIds ?? [])];
}
