import type { Template } from 'aws-cdk-lib/assertions';

/** A resource as CloudFormation would have it after a deployment. */
interface DeployedResource {
  readonly type: string;
  /** Another one after a replacement. */
  readonly physicalId: string;
  readonly properties: unknown;
}

export type DeployedStack = ReadonlyMap<string, DeployedResource>;

/**
 * Types of which another value of any property makes another resource.
 *
 * As the template reference of CloudFormation has it: "Update requires: Replacement".
 */
const REPLACED = ['AWS::Lambda::Version', 'AWS::AppConfig::HostedConfigurationVersion'];

interface Resource {
  readonly Type: string;
  readonly Properties?: Readonly<Record<string, unknown>>;
}

/**
 * Works out what CloudFormation makes of a template with these parameters.
 *
 * With `before` the deployment is an update: a resource keeps its physical id unless it must be
 * replaced. What refers to a resource that was replaced gets another value, as in CloudFormation.
 */
export function deployTemplate(
  template: Template,
  parameters: Readonly<Record<string, string>>,
  before: DeployedStack = new Map(),
): DeployedStack {
  const resources = template.toJSON().Resources as Readonly<Record<string, Resource>>;
  const deployed = new Map<string, DeployedResource>();

  const deploy = (id: string): DeployedResource => {
    const known = deployed.get(id);
    if (known !== undefined) return known;
    const { Type: type, Properties = {} } = resources[id]!;
    const properties = resolve(Properties);
    const old = before.get(id);
    const replaced =
      old !== undefined &&
      REPLACED.includes(type) &&
      JSON.stringify(old.properties) !== JSON.stringify(properties);
    const resource = {
      type,
      properties,
      physicalId: old === undefined ? `arn:aws:x:y:z:${id}:1` : `${old.physicalId}${replaced ? '+' : ''}`,
    };
    deployed.set(id, resource);
    return resource;
  };

  const refer = (id: string): string =>
    id in resources ? deploy(id).physicalId : (parameters[id] ?? `<${id}>`);

  function resolve(value: unknown): unknown {
    if (Array.isArray(value)) return value.map(resolve);
    if (typeof value !== 'object' || value === null) return value;
    const [key = '', ...others] = Object.keys(value);
    const argument = (value as Record<string, unknown>)[key] as never;
    if (others.length === 0 && key in INTRINSICS) return INTRINSICS[key]!(argument);
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, resolve(member)]));
  }

  const INTRINSICS: Readonly<Record<string, (argument: never) => unknown>> = {
    Ref: (id: string) => refer(id),
    'Fn::GetAtt': ([id, attribute]: [string, string]) => `${refer(id)}.${attribute}`,
    'Fn::Join': ([separator, parts]: [string, unknown]) => (resolve(parts) as unknown[]).join(separator),
    'Fn::Split': ([separator, text]: [string, unknown]) => String(resolve(text)).split(separator),
    'Fn::Select': ([place, list]: [string | number, unknown]) => (resolve(list) as unknown[])[Number(place)],
    'Fn::Sub': (text: string) => text.replace(/\$\{([\w:]+)\}/g, (_, id: string) => refer(id)),
  };

  for (const id of Object.keys(resources)) deploy(id);
  return deployed;
}
