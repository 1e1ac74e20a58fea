import { Stack } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';
import { acknowledge } from './acknowledge.ts';

/** A wildcard in the resource of a right that `scope` has and is meant to have. */
export function acknowledgeResource(scope: IConstruct, resource: string, reason: string): void {
  const text = flatten(Stack.of(scope).resolve(resource));
  acknowledge(scope, `AwsSolutions-IAM5[Resource::${text}]`, reason);
}

/** As cdk-nag names a resource: `<LogicalId.Attribute>` and `<Parameter>` in place of what the deployment fills in. */
function flatten(resource: unknown): string {
  if (typeof resource !== 'object' || resource === null) return String(resource);
  const { Ref, ...functions } = resource as Record<string, unknown>;
  if (Ref !== undefined) return `<${Ref}>`;
  const attribute = functions['Fn::GetAtt'];
  if (Array.isArray(attribute)) return `<${attribute.join('.')}>`;
  const join = functions['Fn::Join'];
  if (Array.isArray(join)) return (join[1] as unknown[]).map(flatten).join(String(join[0]));
  throw new Error(`A resource of a right is written in a way that is not known: ${JSON.stringify(resource)}`);
}
