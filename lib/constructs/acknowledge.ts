import { Stack, Validations } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';

/**
 * Acknowledges a finding of cdk-nag that is meant so.
 * `rule` is the narrowest id that covers the finding. The reason is for whoever audits the account.
 */
export function acknowledge(scope: IConstruct, rule: string, reason: string): void {
  Validations.of(scope).acknowledge({ id: `AwsSolutions::${rule}`, reason });
}

/**
 * Acknowledges a wildcard in the resource of a right that `scope` is meant to have.
 * `resource` is the ARN of the right, as CDK writes it; the reason is for whoever audits the
 * account.
 * @throws Error where the ARN is written in a way that `flatten` does not know.
 */
export function acknowledgeResource(scope: IConstruct, resource: string, reason: string): void {
  const text = flatten(Stack.of(scope).resolve(resource));
  acknowledge(scope, `AwsSolutions-IAM5[Resource::${text}]`, reason);
}

/**
 * Writes a resource as cdk-nag names it.
 * `<LogicalId.Attribute>` and `<Parameter>` stand in place of what the deployment fills in.
 */
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
