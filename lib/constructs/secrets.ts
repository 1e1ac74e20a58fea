import { Stack } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import type { PlannedDeployment } from '../core/config/deployable.ts';
import type { GivenSecret } from '../core/config/leaf-schemas.ts';

/** A secret that a function reads. */
export interface ReadSecret {
  readonly secretArn: string;
  /** The key of KMS that encrypts it. Undefined: the account's key for Secrets Manager. */
  readonly secretKeyArn?: string | undefined;
}

/**
 * Model alias → its secret, from the configuration or from props.
 * @param keyArn the key of those secrets that name none
 */
export function resolveSecrets(
  given: Readonly<Record<string, GivenSecret>>,
  keyArn: string | undefined,
): Record<string, ReadSecret> {
  return Object.fromEntries(
    Object.entries(given).map(([alias, secret]) => {
      const { secretArn, secretKeyArn = keyArn } =
        typeof secret === 'string' ? { secretArn: secret } : secret;
      return [alias, { secretArn, secretKeyArn }];
    }),
  );
}

/**
 * The right to read exactly these secrets.
 * Where keys of the user's own encrypt some of them, the statements also allow the use of these
 * keys, through Secrets Manager only.
 */
export function secretStatements(scope: Construct, secrets: readonly ReadSecret[]): PolicyStatement[] {
  if (secrets.length === 0) return [];
  const unique = (arns: readonly string[]) => [...new Set(arns)].sort();
  const read = new PolicyStatement({
    actions: ['secretsmanager:GetSecretValue'],
    resources: unique(secrets.map(({ secretArn }) => secretArn)),
  });
  const keyArns = unique(secrets.flatMap(({ secretKeyArn = [] }) => secretKeyArn));
  if (keyArns.length === 0) return [read];
  const viaService = `secretsmanager.${Stack.of(scope).region}.${Stack.of(scope).urlSuffix}`;
  return [
    read,
    new PolicyStatement({
      actions: ['kms:Decrypt'],
      resources: keyArns,
      conditions: { StringEquals: { 'kms:ViaService': viaService } },
    }),
  ];
}

/** What `describeSecrets` reads of the props of a pipeline. */
interface PropsWithSecrets {
  readonly database: { readonly secretArn?: string; readonly secretKeyArn?: string };
  readonly providerSecrets?: Readonly<Record<string, GivenSecret>>;
  readonly alarms?: { readonly webhook?: ReadSecret | undefined };
}

/** The secrets and their keys by their places in a stage, for what a deployment is refused for. */
export function describeSecrets(
  props: PropsWithSecrets,
): Pick<PlannedDeployment, 'providerSecrets' | 'otherSecrets' | 'secretKeys'> {
  const { database, providerSecrets = {}, alarms } = props;
  const resolved = Object.entries(resolveSecrets(providerSecrets, undefined));
  return {
    providerSecrets: Object.fromEntries(resolved.map(([alias, { secretArn }]) => [alias, secretArn])),
    otherSecrets: [
      [['database', 'secretArn'], database.secretArn],
      [['alarms', 'webhook', 'secretArn'], alarms?.webhook?.secretArn],
    ],
    secretKeys: [
      [['database', 'secretKeyArn'], database.secretKeyArn],
      [['alarms', 'webhook', 'secretKeyArn'], alarms?.webhook?.secretKeyArn],
      ...resolved.map(
        ([alias, { secretKeyArn }]) => [['providerSecrets', alias, 'secretKeyArn'], secretKeyArn] as const,
      ),
    ],
  };
}
