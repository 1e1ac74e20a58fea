import { UsageError } from '../../core/errors.ts';

/** The modes of `sslmode` that a database URL may ask for. */
const MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full', 'no-verify'];

/** Modes of libpq that ask for TLS and do not verify the server, or verify it by half. */
const HALF_VERIFIED = new Set(['allow', 'prefer', 'require', 'verify-ca']);

/**
 * Reads a database URL into the connection string that the driver is given.
 * The string differs from the URL in `sslmode` alone: every mode that asks for TLS verifies the
 * server as `verify-full` does (docs/decisions/0018). `uselibpqcompat=true` leaves the choice to
 * the driver.
 * @throws UsageError for a URL whose host or port could be a part of its password, and for an
 * `sslmode` that is none. The sentence repeats nothing of the URL but the mode.
 */
export function readConnectionUrl(url: string): string {
  refuseAmbiguous(url);
  const start = url.indexOf('?');
  if (start === -1) return url;
  const pairs = url.slice(start + 1).split('&');
  const keepsModes = pairs.includes('uselibpqcompat=true');
  return `${url.slice(0, start)}?${pairs.map(pair => (keepsModes ? pair : verifyFully(pair))).join('&')}`;
}

/** Names a server in sentences, as `PostgreSQL at db.example:5432`. */
export function nameServer({ host, port }: { readonly host: string; readonly port: number }): string {
  return `PostgreSQL at ${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/**
 * Refuses a URL in which a character of the password ends the login too early.
 * The first `/`, `?` or `#` after `//` ends the authority, and the last `@` in the authority ends
 * the login. After either of them, the rest of a password would be taken for host, port or database
 * and be printed as that.
 */
function refuseAmbiguous(url: string): void {
  const rest = url.slice(url.indexOf('//') + 2);
  const end = rest.search(/[/?#]/);
  const authority = end === -1 ? rest : rest.slice(0, end);
  const after = rest.slice(authority.length);
  const isAmbiguous = authority.split('@').length > 2 || /[@#]/.test(after);
  if (!isAmbiguous) return;
  throw new UsageError(
    'The database URL cannot be read for sure: it has an @ or a # where only a password or a name could ' +
      'have it. Percent-encode special characters in user, password and database: @ is %40, / is %2F, ' +
      '# is %23, ? is %3F, : is %3A, % is %25.',
    'postgres://user:p%40ssword@host:5432/database',
  );
}

function verifyFully(pair: string): string {
  const [key, mode = ''] = pair.split('=');
  if (key !== 'sslmode') return pair;
  if (!MODES.includes(mode))
    throw new UsageError(
      `The database URL has sslmode=${/^[\w-]{1,20}$/.test(mode) ? mode : '…'}, which is no mode.`,
      `Take one of ${MODES.join(', ')}.`,
    );
  return HALF_VERIFIED.has(mode) ? 'sslmode=verify-full' : pair;
}
