import type { ReadLogin } from './database-login.ts';

/** A server that is named by its parts, as a deployed function knows it. The connection is always TLS with the server's name and issuer verified. */
export interface PostgresEndpoint {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly readLogin: ReadLogin;
  /** `rds`: Amazon's authorities for RDS and Aurora. `proxy`: those of RDS Proxy. Or certificates as PEM. */
  readonly certificateAuthority: 'rds' | 'proxy' | { readonly pem: string };
}
