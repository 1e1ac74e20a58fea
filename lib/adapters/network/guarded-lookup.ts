import { type LookupAddress, type LookupOptions, lookup } from 'node:dns';
import { isForbiddenAddress, isLoopbackAddress, isLoopbackName } from './addresses.ts';

export type ResolveName = (
  hostname: string,
  options: LookupOptions & { all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

type Answered = (
  error: NodeJS.ErrnoException | null,
  address: string | LookupAddress[],
  family?: number,
) => void;

/** The code of a connection that was refused because of the address its name leads to. */
const FORBIDDEN_ADDRESS = 'ERR_FORBIDDEN_ADDRESS';

/**
 * Makes a lookup for `connect.lookup` that refuses names which lead to forbidden addresses.
 *
 * The socket uses the very addresses that were checked, so no second answer of a resolver can
 * differ from them. One forbidden address refuses the name. A name of this machine must lead to
 * this machine, because http is allowed there. Private networks are allowed: internal services
 * live in them.
 */
export function createGuardedLookup(
  resolve: ResolveName = lookup,
): (hostname: string, options: LookupOptions, callback: Answered) => void {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, []);
      const host = hostname.toLowerCase().replace(/\.$/, '');
      const refused = addresses.some(
        ({ address }) => isForbiddenAddress(address) || (isLoopbackName(host) && !isLoopbackAddress(address)),
      );
      const first = addresses[0];
      if (refused || first === undefined) return callback(forbidden(), []);
      if (options.all) return callback(null, addresses);
      callback(null, first.address, first.family);
    });
  };
}

function forbidden(): NodeJS.ErrnoException {
  return Object.assign(new Error('The name leads to an address that is no provider.'), {
    code: FORBIDDEN_ADDRESS,
  });
}
