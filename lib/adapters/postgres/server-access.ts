import pg from 'pg';
import { createLoginClient } from './create-login-client.ts';
import { endpointSettings } from './endpoint-settings.ts';
import { explainEndpointFailure, isLoginRefused } from './explain-endpoint-failure.ts';
import type { PostgresEndpoint } from './postgres-endpoint.ts';

/** How every connection to one server is made, inside the pool and outside of it. */
export interface ServerAccess {
  readonly settings: pg.ClientConfig;
  readonly Client: typeof pg.Client;
  /** Runs what connects, a second time where that can help. */
  readonly connecting: <T>(connect: () => Promise<T>) => Promise<T>;
}

export function accessByUrl(connectionString: string): ServerAccess {
  return { settings: { connectionString }, Client: pg.Client, connecting: connect => connect() };
}

/**
 * A login that the server refuses is read anew once and tried again, so that a rotation goes unnoticed; refused again, it is a `stop`.
 * Rejects with `FreshetError` only.
 */
export async function accessByEndpoint(endpoint: PostgresEndpoint): Promise<ServerAccess> {
  // From a refusal to the next success, so that connections that are made at the same time do not go back to what is remembered.
  let refused = false;
  return {
    settings: await endpointSettings(endpoint),
    Client: createLoginClient(() => endpoint.readLogin({ fresh: refused })),
    async connecting(connect) {
      const attempt = async () => {
        const connected = await connect();
        refused = false;
        return connected;
      };
      try {
        return await attempt().catch(error => {
          if (!isLoginRefused(error)) throw error;
          refused = true;
          return attempt();
        });
      } catch (error) {
        throw explainEndpointFailure(error, endpoint);
      }
    },
  };
}
