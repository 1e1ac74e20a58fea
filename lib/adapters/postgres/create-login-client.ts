import pg from 'pg';
import type { DatabaseLogin } from './database-login.ts';

type Callback = (error: Error) => void;

/**
 * Makes a class of clients that read their login just before they connect.
 * `pg` takes a function for the password only, and a rotation can change the user too.
 */
export function createLoginClient(readLogin: () => Promise<DatabaseLogin>): typeof pg.Client {
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
