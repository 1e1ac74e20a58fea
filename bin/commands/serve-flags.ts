import { durationFlag, textFlag, wholeNumberFlag } from '../terminal/flags.ts';

/** Flags of `serve`: where it listens. */
export const serveFlags = {
  host: textFlag('ADDRESS', 'address to listen on (service.host, else 127.0.0.1)'),
  port: wholeNumberFlag('N', 'port to listen on (service.port, else 8080); 0 takes a free one', {
    least: 0,
    most: 65_535,
  }),
};

/** Flags of `token`: what the token says. */
export const tokenFlags = {
  tenant: textFlag('NAME', 'the tenant that the token names; without it, none'),
  scopes: textFlag('NAMES', 'its scopes, parted by commas (embed,search,write)'),
  'expires-in': durationFlag('TIME', 'how long it holds (1h)'),
};
