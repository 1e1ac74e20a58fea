import type { Template } from 'aws-cdk-lib/assertions';
import { resourcesOf } from './resources-of.ts';

interface Policy {
  readonly PolicyDocument: {
    readonly Statement: readonly {
      readonly Action: string | readonly string[];
      readonly Resource: unknown;
    }[];
  };
}

/** Secrets whose value a role of the template may read, wherever they were made. */
export function countSecrets(template: Template): number {
  const read = resourcesOf<Policy>(template, 'AWS::IAM::Policy')
    .flatMap(({ properties }) => properties.PolicyDocument.Statement)
    .filter(({ Action }) => [Action].flat().includes('secretsmanager:GetSecretValue'))
    .flatMap(({ Resource }) => [Resource].flat());
  return new Set(read.map(resource => JSON.stringify(resource))).size;
}
