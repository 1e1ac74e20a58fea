import { GetSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { FreshetError } from '../../core/errors/freshet-error.ts';
import type { Clock } from '../../ports/clock.ts';
import type { SecretStore } from '../../ports/secret-store.ts';
import { toAwsFailure } from '../aws/to-aws-failure.ts';

/** How long a secret is believed: the longest time between a rotation and its use where nothing is refused. */
const CACHE_MS = 5 * 60_000;

interface Cached {
  readonly value: string;
  readonly readAtMs: number;
  /** Place of its request among all. */
  readonly order: number;
}

/** Reads that come together share one request. What failed is not kept: the next read asks again. */
export function createSecretStore(options: {
  readonly client: SecretsManagerClient;
  readonly clock: Clock;
}): SecretStore {
  const { client, clock } = options;
  const cached = new Map<string, Cached>();
  let requests = 0;
  const underWay = new Map<string, Promise<string>>();

  const request = (secretArn: string, fresh: boolean): Promise<string> => {
    // A request that began before the refusal can still bring the old value: `fresh` joins only one that began for the same reason.
    const key = `${fresh ? 'fresh' : 'cached'} ${secretArn}`;
    const running = underWay.get(key);
    if (running !== undefined) return running;
    requests += 1;
    const order = requests;
    const started = readSecret(client, secretArn)
      .then(value => {
        // A request that began later may have been answered before, with the newer secret.
        const known = cached.get(secretArn);
        if (known !== undefined && known.order > order) return known.value;
        cached.set(secretArn, { value, readAtMs: clock.now(), order });
        return value;
      })
      .finally(() => underWay.delete(key));
    underWay.set(key, started);
    return started;
  };

  return {
    async read(secretArn, { fresh } = { fresh: false }) {
      const known = fresh ? undefined : cached.get(secretArn);
      const ageMs = known === undefined ? CACHE_MS : clock.now() - known.readAtMs;
      // A clock that was set back makes an age negative: that is read anew too.
      if (known !== undefined && ageMs >= 0 && ageMs < CACHE_MS) return known.value;
      return request(secretArn, fresh);
    },
  };
}

async function readSecret(client: SecretsManagerClient, SecretId: string): Promise<string> {
  const text = await askForText(client, SecretId);
  if (text !== undefined && text !== '') return text;
  throw new FreshetError(
    'The secret holds no text: store a string (for a database, JSON with username and password).',
    { failureClass: 'stop', code: 'secret_without_text' },
  );
}

async function askForText(client: SecretsManagerClient, SecretId: string): Promise<string | undefined> {
  try {
    return (await client.send(new GetSecretValueCommand({ SecretId }))).SecretString;
  } catch (error) {
    throw toAwsFailure('Secrets Manager', error);
  }
}
