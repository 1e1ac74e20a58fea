import type { Template } from 'aws-cdk-lib/assertions';
import { resourcesOf } from './resources-of.ts';

export interface Statement {
  readonly Effect: 'Allow' | 'Deny';
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
  readonly Condition?: unknown;
}

interface PolicyDocument {
  readonly Statement: readonly Statement[];
}

export interface Policy {
  /** The logical id of the role. */
  readonly owner: string;
  readonly statements: readonly Statement[];
}

/** The resources, as text, that each action is allowed on. */
export type Rights = Readonly<Record<string, readonly string[]>>;

export function policiesOf(template: Template): Policy[] {
  const attached = resourcesOf<{ Roles: { Ref: string }[]; PolicyDocument: PolicyDocument }>(
    template,
    'AWS::IAM::Policy',
  );
  const inline = resourcesOf<{ Policies?: { PolicyDocument: PolicyDocument }[] }>(template, 'AWS::IAM::Role');
  return [
    ...attached.map(({ properties }) => ({
      owner: properties.Roles[0]!.Ref,
      statements: properties.PolicyDocument.Statement,
    })),
    ...inline.flatMap(({ id, properties }) =>
      (properties.Policies ?? []).map(policy => ({ owner: id, statements: policy.PolicyDocument.Statement })),
    ),
  ];
}

export const listed = (value: unknown): unknown[] => (Array.isArray(value) ? value : [value]);
export const actionsOf = (statement: Statement) => listed(statement.Action) as string[];

/**
 * Collects what roles may do beyond logs, network interfaces and traces.
 *
 * `role` is the beginning of their logical ids.
 */
export function rightsOf(policies: readonly Policy[], role: string): Rights {
  const rights: Record<string, string[]> = {};
  for (const { Effect, Resource, ...statement } of policies
    .filter(({ owner }) => owner.startsWith(role))
    .flatMap(({ statements }) => statements)) {
    if (Effect === 'Deny') continue;
    for (const action of actionsOf({ Effect, Resource, ...statement }))
      if (!/^(logs|ec2|xray):/.test(action))
        rights[action] = [...(rights[action] ?? []), ...listed(Resource).map(nameOf)].sort();
  }
  return rights;
}

interface Intrinsic {
  readonly Ref?: string;
  readonly 'Fn::GetAtt'?: readonly [string, string];
  readonly 'Fn::Join'?: readonly [string, readonly unknown[]];
}

/**
 * Names a resource of the template by its logical id, as `<Queuesopenaifresh>`.
 *
 * The hash and the part that all ids have are left out.
 */
function nameOf(resource: unknown): string {
  if (typeof resource === 'string') return resource;
  const { Ref, 'Fn::GetAtt': attribute, 'Fn::Join': join } = resource as Intrinsic;
  if (join !== undefined) return join[1].map(nameOf).join('');
  const id = (Ref ?? attribute![0])
    .replace(/^Pipeline/, '')
    .replace(/(Queue|Bucket|Mapping)[0-9A-F]{8}$/, '');
  return `<${id}>`;
}

/** Counts the secrets whose value a role of the template may read, wherever they were made. */
export function countSecrets(template: Template): number {
  const read = policiesOf(template)
    .flatMap(({ statements }) => statements)
    .filter(statement => actionsOf(statement).includes('secretsmanager:GetSecretValue'))
    .flatMap(({ Resource }) => listed(Resource));
  return new Set(read.map(resource => JSON.stringify(resource))).size;
}
