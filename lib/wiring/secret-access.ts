import type { DeploymentSettings } from '../core/config/deployment-settings.ts';
import { FreshetError } from '../core/errors.ts';
import type { ModelDefinition } from '../core/model.ts';
import { PROVIDERS } from '../core/providers.ts';
import type { KeySource, SecretStore } from '../ports/provider.ts';
import type { HeaderSource } from './providers.ts';

/** A deployment's keys and headers, from one secret for each model. */
interface SecretAccess {
  /** Undefined where the deployment names no secret for the model: then no key is sent. */
  keyOf(model: ModelDefinition): KeySource | undefined;
  /** Undefined where the model has no headers. */
  headersOf(model: ModelDefinition): HeaderSource | undefined;
}

/**
 * Makes the access to the secrets of a deployment's models, which are read when they are needed.
 * The secret of a model is its key, as text. That of a model with `headers` is a JSON object with
 * what the environment holds elsewhere: a text for each variable that a header names, and for the
 * variable of the provider's key where the server asks for one as well.
 */
export function createSecretAccess(
  { keySecrets }: Pick<DeploymentSettings, 'keySecrets'>,
  secrets: SecretStore,
): SecretAccess {
  const arnOf = ({ alias }: ModelDefinition) =>
    Object.hasOwn(keySecrets, alias) ? keySecrets[alias] : undefined;
  return {
    keyOf(model) {
      const { alias, headers, provider } = model;
      const arn = arnOf(model);
      if (arn === undefined) return undefined;
      if (headers === undefined) return async options => checkKey(alias, await secrets.read(arn, options));
      const variable = PROVIDERS[provider].key?.variable;
      return async options => {
        const values = readValues(model, await secrets.read(arn, options));
        return checkKey(alias, (variable && values[variable]) ?? '', /^[\x21-\x7e]*$/);
      };
    },
    headersOf(model) {
      const arn = arnOf(model);
      if (model.headers === undefined || arn === undefined) return undefined;
      const named = Object.entries(model.headers);
      return async () => {
        const values = readValues(model, await secrets.read(arn));
        return Object.fromEntries(named.map(([name, { env }]) => [name, values[env] ?? '']));
      };
    },
  };
}

/** Trims a secret, because a file that was stored as one ends in a line break. */
function checkKey(alias: string, secret: string, form = /^[\x21-\x7e]+$/): string {
  const key = secret.trim();
  if (form.test(key)) return key;
  throw new FreshetError(
    `The secret of model ${alias} is no key: it holds spaces, line breaks or other characters ` +
      'that no key has. Store the key alone, as text.',
    { failureClass: 'stop', code: 'bad_key_secret' },
  );
}

/**
 * Reads the variables from the secret of a model with headers; each that a header names is there.
 * @throws FreshetError that names the variable and never the secret's text.
 */
function readValues({ alias, headers = {} }: ModelDefinition, secret: string): Record<string, string> {
  const values = parseTexts(secret);
  const variables = Object.values(headers).map(({ env }) => env);
  const missing = variables.find(variable => !/^[\x20-\x7e]+$/.test(values[variable] ?? ''));
  if (missing === undefined) return values;
  throw new FreshetError(
    `The secret of model ${alias} has no ${missing} that a header can carry: store a JSON object such as ` +
      `{ "${missing}": "…" }, with a text for each of ${variables.join(', ')}.`,
    { failureClass: 'stop', code: 'bad_key_secret' },
  );
}

function parseTexts(secret: string): Record<string, string> {
  try {
    const parsed: unknown = JSON.parse(secret);
    if (typeof parsed !== 'object' || parsed === null) return {};
    const texts = Object.entries(parsed).filter(([, value]) => typeof value === 'string');
    return Object.fromEntries(texts.map(([name, value]) => [name, (value as string).trim()]));
  } catch {
    return {};
  }
}
