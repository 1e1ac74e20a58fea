import type { Agent, buildConnector, EnvHttpProxyAgent } from 'undici';
import { FreshetError, UsageError } from '../../core/errors.ts';
import { isLoopbackHost } from '../../core/providers.ts';

/** Where calls go before they go to their address; an empty text: nowhere. */
export interface Proxies {
  readonly httpProxy: string;
  readonly httpsProxy: string;
  /** Hosts that are asked directly, as `NO_PROXY` lists them. */
  readonly noProxy: string;
}

/**
 * Reads the proxies of an environment: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`.
 * The name in lower case wins, as it does for other programs. `ALL_PROXY` counts where no proxy is
 * named for the scheme; where one is, it is not even looked at, as it often names one of SOCKS. A
 * host without a scheme is one of http. A variable that no call obeys is not looked at either.
 * @param urls addresses of the calls, of which those that are none do not count; undefined: they
 *   may go anywhere
 * @returns undefined where no proxy is named, or none is asked, as by `NO_PROXY=*`
 * @throws UsageError for what is no address of a proxy. The error never repeats it: it can hold a
 *   password
 */
export function readProxies(
  variables: Readonly<Record<string, string | undefined>>,
  urls?: readonly string[],
): Proxies | undefined {
  const read = (name: string) => variables[name.toLowerCase()]?.trim() || variables[name]?.trim() || '';
  const noProxy = read('NO_PROXY');
  if (noProxy === '*') return undefined;
  const proxied = urls?.map(url => URL.parse(url)).filter(url => url !== null && !goesDirectly(url, noProxy));
  const isAsked = (protocol: string) => proxied?.some(url => url?.protocol === protocol) ?? true;
  const choose = (name: string) =>
    read(name) === '' ? parseProxy('ALL_PROXY', read('ALL_PROXY')) : parseProxy(name, read(name));
  const httpsProxy = isAsked('https:') ? choose('HTTPS_PROXY') : '';
  // The proxy of http alone counts for https too.
  const isHttpAsked = isAsked('http:') || (isAsked('https:') && httpsProxy === '');
  const httpProxy = isHttpAsked ? choose('HTTP_PROXY') : '';
  if (httpProxy === '' && httpsProxy === '') return undefined;
  return { httpProxy, httpsProxy, noProxy };
}

/** Whether a call goes to its address whatever the proxies are, as undici's agent decides it. */
function goesDirectly({ protocol, hostname, port }: URL, noProxy: string): boolean {
  if (isLoopbackHost(hostname)) return true;
  const ownPort = port || (protocol === 'https:' ? '443' : '80');
  return noProxy.split(/[,\s]+/).some(entry => {
    const [, wildcard, name, onlyPort = ownPort] = /^(\*?\.?)([^:]+)(?::(\d+))?$/.exec(entry) ?? [];
    if (name === undefined || onlyPort !== ownPort) return false;
    if (name === '*') return true;
    const isOfDomain = hostname.endsWith(`.${name.toLowerCase()}`);
    return wildcard === '*.' ? isOfDomain : isOfDomain || hostname === name.toLowerCase();
  });
}

function parseProxy(variable: string, value: string): string {
  if (value === '') return '';
  const url = URL.parse(/^[a-z][\w+.-]*:\/\//i.test(value) ? value : `http://${value}`);
  const isReadable = url !== null && url.hostname !== '' && areDecodable(url.username, url.password);
  if (isReadable && /^https?:$/.test(url.protocol)) return url.href;
  throw new UsageError(
    `${variable} ${isReadable ? 'names no proxy of http or https' : 'is no address of a proxy'}.`,
    'Give http://host:port, with special characters of user and password percent-encoded, or unset ' +
      `${variable}.`,
  );
}

function areDecodable(...texts: readonly string[]): boolean {
  try {
    texts.forEach(decodeURIComponent);
    return true;
  } catch {
    return false;
  }
}

type ErrorOfConnect = WeakSet<object>;

/** An agent that asks proxies, and what tells a failure of theirs from one of a direct call. */
export interface ProxiedAgent {
  readonly agent: EnvHttpProxyAgent;
  /** Explains a failure that is the proxy's. Undefined: it is not. */
  explain(error: unknown): FreshetError | undefined;
}

/**
 * Opens an agent that asks the proxies, but for the hosts of `noProxy`.
 * `connectDirectly` makes the connections that no proxy makes.
 */
export function openProxiedAgent(
  undici: { readonly EnvHttpProxyAgent: typeof EnvHttpProxyAgent },
  proxies: Proxies,
  connectDirectly: buildConnector.connector,
  options: Agent.Options,
): ProxiedAgent {
  const direct: ErrorOfConnect = new WeakSet();
  const connect: buildConnector.connector = (target, callback) =>
    connectDirectly(target, (...[error, socket]) => {
      if (error !== null) {
        direct.add(error);
        callback(error, null);
      } else callback(null, socket);
    });
  return {
    agent: new undici.EnvHttpProxyAgent({ ...options, ...proxies, connect }),
    explain: error => explainProxyFailure(error, direct),
  };
}

/** Node's codes of a connection that did not come about. */
const NOT_CONNECTED = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_PRX_CONN',
]);

const PLACE = 'The proxy in HTTPS_PROXY, HTTP_PROXY or ALL_PROXY';

/**
 * Explains a failure of a proxy.
 * A connection that is no direct one is a connection to the proxy, as long as nothing was sent.
 * undici tells the status of a proxy in a sentence alone.
 */
function explainProxyFailure(error: unknown, direct: ErrorOfConnect): FreshetError | undefined {
  if (typeof error !== 'object' || error === null || direct.has(error)) return undefined;
  const { message = '', code = '' } = error as { readonly message?: string; readonly code?: string };
  const status = /^Proxy (?:response|Authentication Required) \((\d{3})\)/.exec(message)?.[1];
  if (status === undefined) {
    if (!NOT_CONNECTED.has(code)) return undefined;
    return proxyFailure(
      'proxy_unreachable',
      `${PLACE} cannot be reached (${code}): check its host and port, or list the host of the call in ` +
        'NO_PROXY.',
    );
  }
  if (status === '407')
    return proxyFailure(
      'proxy_unauthorized',
      `${PLACE} asks for another user or password (407): give them in the variable, percent-encoded, as ` +
        'http://user:password@host:port.',
    );
  if (status.startsWith('5'))
    return proxyFailure(
      'proxy_failed',
      `${PLACE} could not connect (${status}): check the address of the call, or list its host in NO_PROXY.`,
    );
  return proxyFailure(
    'proxy_refused',
    `${PLACE} refused to connect (${status}): ask whoever runs it to let the host and port of the call ` +
      'pass, or list the host in NO_PROXY.',
  );
}

function proxyFailure(code: string, message: string): FreshetError {
  const isLasting = code === 'proxy_unauthorized' || code === 'proxy_refused';
  return new FreshetError(message, { failureClass: isLasting ? 'stop' : 'transient', code });
}

/** Whether a failure is a proxy's, and its words say so. */
export function isProxyFailure(error: unknown): error is FreshetError {
  return error instanceof FreshetError && error.code.startsWith('proxy_');
}
