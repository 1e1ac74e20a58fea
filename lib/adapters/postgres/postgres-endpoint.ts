import type { ReadLogin } from './database-login.ts';

/**
 * A PostgreSQL server named by its parts, as a deployed function knows it.
 * The connection always uses TLS, and the server's name and issuer are verified.
 */
export interface PostgresEndpoint {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly readLogin: ReadLogin;
  /**
   * Authorities that may have issued the server's certificate.
   * `rds`: Amazon's for RDS and Aurora. `proxy`: Amazon's for RDS Proxy. `pem`: the given
   * certificates.
   */
  readonly certificateAuthority: 'rds' | 'proxy' | { readonly pem: string };
}
