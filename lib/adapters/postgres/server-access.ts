import pg from 'pg';
import { createLoginClient } from './create-login-client.ts';
import { endpointSettings } from './endpoint-settings.ts';
import { explainEndpointFailure, isLoginRefused } from './explain-endpoint-failure.ts';
import type { PostgresEndpoint } from './postgres-endpoint.ts';

/** How every connection to one server is made, inside the pool and outside of it. */
export interface ServerAccess {
  readonly settings: pg.ClientConfig;
  readonly Client: typeof pg.Client;
  /** Runs `connect`, a second time where that can help. */
  readonly connecting: <T>(connect: () => Promise<T>) => Promise<T>;
}

export function accessByUrl(connectionString: string): ServerAccess {
  return { settings: { connectionString }, Client: pg.Client, connecting: connect => connect() };
}

/**
 * Gives access to a server by its endpoint, whose login may rotate.
 * A login that the server refuses is read anew once and tried again, so a rotation goes unnoticed.
 * A second refusal rejects with class `stop`.
 * @throws FreshetError and nothing else.
 */
export async function accessByEndpoint(endpoint: PostgresEndpoint): Promise<ServerAccess> {
  // True from a refusal to the next success.
  // Connections that are made at the same time then do not go back to the remembered login.
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
