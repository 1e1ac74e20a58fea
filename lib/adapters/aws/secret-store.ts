import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { FreshetError } from '../../core/errors.ts';
import type { Clock } from '../../ports/process.ts';
import type { SecretStore } from '../../ports/provider.ts';
import { callAws } from './call-aws.ts';
import { type AwsAccess, clientSettings } from './client-settings.ts';

/**
 * How long a secret is cached.
 * Where nothing is refused and the service answers, a rotated secret is used after this time at the
 * latest.
 */
const CACHE_MS = 5 * 60_000;

/** How long an older value is given before a service that could not answer is asked again. */
const ASK_AGAIN_MS = 30_000;

interface Cached {
  readonly value: string;
  readonly readAtMs: number;
  /** Number of the request that read the value, counted from the store's creation. */
  readonly order: number;
}

/**
 * Creates the store of secrets. Concurrent reads of a secret share one request.
 * Where the service is throttled or does not answer, a value that was read before goes on being
 * given: a secret seldom changes, and whoever is refused with it asks for a fresh one. Any other
 * failure is told, and the next read asks again.
 */
export function createSecretStore(options: {
  readonly client: SecretsManagerClient;
  readonly clock: Clock;
}): SecretStore {
  const { client, clock } = options;
  const cached = new Map<string, Cached>();
  let requests = 0;
  const underWay = new Map<string, Promise<string>>();

  const request = (secretArn: string, fresh: boolean): Promise<string> => {
    // A request that began before the refusal can still bring the old value, so `fresh` joins only
    // a request that began as `fresh`.
    const key = `${fresh ? 'fresh' : 'cached'} ${secretArn}`;
    const running = underWay.get(key);
    if (running !== undefined) return running;
    requests += 1;
    const order = requests;
    const started = readSecret(client, secretArn)
      .then(value => {
        // A later request may have been answered earlier, with the newer secret.
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
      // A clock that was set back makes the age negative: the secret is read anew then too.
      if (known !== undefined && ageMs >= 0 && ageMs < CACHE_MS) return known.value;
      try {
        return await request(secretArn, fresh);
      } catch (error) {
        if (known === undefined || !isPassing(error)) throw error;
        // A request that began later may have brought a newer value.
        const kept = cached.get(secretArn) ?? known;
        if (kept === known)
          cached.set(secretArn, { ...known, readAtMs: clock.now() - CACHE_MS + ASK_AGAIN_MS });
        return kept.value;
      }
    },
  };
}

function isPassing(error: unknown): boolean {
  return error instanceof FreshetError && ['throttled', 'transient'].includes(error.failureClass);
}

async function readSecret(client: SecretsManagerClient, SecretId: string): Promise<string> {
  const { SecretString } = await callAws('Secrets Manager', () =>
    client.send(new GetSecretValueCommand({ SecretId })),
  );
  if (SecretString !== undefined && SecretString !== '') return SecretString;
  throw new FreshetError(
    'The secret holds no text: store a string (for a database, JSON with username and password).',
    { failureClass: 'stop', code: 'secret_without_text' },
  );
}

/**
 * Creates a client of Secrets Manager with a short time limit.
 * A secret is a few hundred bytes, and a function can do nothing before it has the secret.
 */
export function createSecretsManagerClient(access: AwsAccess): SecretsManagerClient {
  return new SecretsManagerClient(clientSettings(access, { requestTimeoutMs: 3_000 }));
}
