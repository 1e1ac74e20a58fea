import type { Template } from 'aws-cdk-lib/assertions';

export interface FoundResource<Properties> {
  readonly id: string;
  readonly properties: Properties;
  readonly dependsOn: readonly string[];
}

/** Finds the resources of one type, with the properties that the caller says they have. */
export function resourcesOf<Properties>(template: Template, type: string): FoundResource<Properties>[] {
  return Object.entries(template.findResources(type)).map(([id, resource]) => ({
    id,
    properties: resource.Properties as Properties,
    dependsOn: ([] as string[]).concat((resource.DependsOn as string[] | undefined) ?? []),
  }));
}
