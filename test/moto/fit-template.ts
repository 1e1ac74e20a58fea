import type { WrittenTemplate } from '../templates/every-template.ts';

type Body = WrittenTemplate['body'];
type Resource = Body['Resources'][string];

interface Cut {
  /** Types whose resources are left out. */
  readonly without: ReadonlySet<string>;
  /** Texts of the template → what stands there instead, such as the id of a network that exists. */
  readonly places: Readonly<Record<string, string>>;
  /** `stack.output` → value, of the stacks before. */
  readonly outputs: Readonly<Record<string, string>>;
}

/**
 * Cuts a template down to what an emulator can create.
 *
 * What refers to a resource that is left out gets an ARN in its place, and so does an output of
 * another stack that the emulator could not make. For an alias stands the function,
 * and a line of code for an asset that nobody uploaded.
 */
export function fitTemplate({ Resources, Outputs = {}, ...rest }: Body, cut: Cut): Body {
  const isKept = ([, { Type }]: [string, Resource]): boolean => !cut.without.has(Type);
  const kept = new Map(Object.entries(Resources).filter(isKept));

  const adapt = (value: unknown): unknown => {
    if (typeof value === 'string') return cut.places[value] ?? value;
    if (Array.isArray(value)) return value.map(adapt);
    if (typeof value !== 'object' || value === null) return value;
    if (Object.hasOwn(value, 'S3Key')) return { ZipFile: 'export {};' };
    const { Ref, 'Fn::GetAtt': attribute, 'Fn::GetStackOutput': output } = value as References;
    if (output !== undefined)
      return cut.outputs[`${output.StackName}.${output.OutputName}`] ?? arnOf(output.OutputName);
    const id = Ref ?? attribute?.[0];
    if (id !== undefined && Object.hasOwn(Resources, id) && !kept.has(id)) return standIn(id, Resources[id]!);
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, adapt(member)]));
  };

  /** Stands in for a resource that is left out: the function for its alias, an ARN for others. */
  const standIn = (id: string, { Type, Properties }: Resource): unknown => {
    const target = (Properties?.FunctionName as References | undefined)?.Ref;
    return Type === 'AWS::Lambda::Alias' && target !== undefined
      ? { 'Fn::GetAtt': [target, 'Arn'] }
      : arnOf(id);
  };

  const fitResource = ({ DependsOn = [], ...resource }: Resource): Resource => {
    const before = [DependsOn].flat().filter(id => kept.has(id));
    return { ...(adapt(resource) as Resource), ...(before.length > 0 && { DependsOn: before }) };
  };

  return {
    ...rest,
    Resources: Object.fromEntries([...kept].map(([id, resource]) => [id, fitResource(resource)])),
    Outputs: adapt(Outputs) as NonNullable<Body['Outputs']>,
  };
}

interface References {
  readonly Ref?: string;
  readonly 'Fn::GetAtt'?: readonly [string, string];
  readonly 'Fn::GetStackOutput'?: { readonly StackName: string; readonly OutputName: string };
}

/** An ARN with as many parts as any that a template takes apart. */
function arnOf(id: string): string {
  return `arn:aws:lambda:us-east-1:123456789012:function:${id.slice(0, 60)}:1`;
}
