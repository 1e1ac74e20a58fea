import { isLoopbackHost } from '../../core/providers.ts';
import { ServiceRefusal } from '../../core/service-refusal.ts';
import type { TenantQuota } from '../../core/tenant-quota.ts';
import type { TokenIdentity } from './verify-tokens.ts';

/**
 * Refuses a request that asks for a host which this service is not.
 * A page of a browser can have its own name resolved to this machine: the name that it asks for
 * gives it away.
 * @param allowedHosts names beside those of the loopback address, in lower case
 */
export function requireHost(host: string | undefined, allowedHosts: ReadonlySet<string>): void {
  const name = URL.parse(`http://${host ?? ''}`)?.hostname ?? '';
  if (host !== undefined && name !== '' && (isLoopbackHost(name) || allowedHosts.has(name))) return;
  throw new ServiceRefusal(
    'forbidden',
    'The Host of the request is none of this service (service.allowedHosts of its configuration).',
  );
}

/**
 * Refuses a write that a page of another site may have sent, and a body that is not plain JSON.
 * Forms and simple requests of a browser cannot have the content type `application/json`. A
 * compressed body is refused: a small one can become any size.
 */
export function requireJsonWrite(headers: Headers): void {
  requireOwnOrigin(headers);
  if (!/^application\/json *(;|$)/i.test(headers.get('content-type') ?? ''))
    throw new ServiceRefusal('unsupported_media_type', 'Expected the header content-type: application/json.');
  const encoding = headers.get('content-encoding') ?? 'identity';
  if (!/^identity$/i.test(encoding))
    throw new ServiceRefusal('unsupported_media_type', 'Expected a body without content-encoding.');
}

/**
 * Refuses what a page of another origin sent.
 * A browser says where a request comes from; one that does not say it names the origin of a write.
 * The host of the request is one of this service: `requireHost` was asked before.
 */
export function requireOwnOrigin(headers: Headers): void {
  const site = headers.get('sec-fetch-site');
  const origin = headers.get('origin');
  const isOwn =
    site === null
      ? origin === null || URL.parse(origin)?.host === headers.get('host')
      : site === 'same-origin' || site === 'none';
  if (!isOwn) throw new ServiceRefusal('forbidden', 'Requests from pages of other sites are not taken.');
}

/**
 * Reads a body as JSON, and stops reading where it is over the limit.
 * A body whose length was announced is no longer than that, and is read at once: as a stream it
 * costs a third of what a request for one text takes.
 * @throws ServiceRefusal `payload_too_large`, `invalid_request` or `client_left`
 */
export async function readJson(request: Request, maxBytes: number): Promise<unknown> {
  const announced = Number(request.headers.get('content-length') ?? 0);
  if (announced > maxBytes) throw tooLarge(maxBytes);
  let bytes: Uint8Array;
  try {
    bytes = announced > 0 ? new Uint8Array(await request.arrayBuffer()) : await readAtMost(request, maxBytes);
  } catch (error) {
    if (error instanceof ServiceRefusal) throw error;
    // Nothing but the client's connection is read here: it is gone, or was too slow and cut off.
    throw new ServiceRefusal('client_left', 'The client left before its body was read.');
  }
  if (bytes.byteLength > maxBytes) throw tooLarge(maxBytes);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new ServiceRefusal('invalid_request', 'The body is no JSON in UTF-8.', { param: 'body' });
  }
}

/** Reads a body of which nobody said how long it is. */
async function readAtMost(request: Request, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw tooLarge(maxBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function tooLarge(maxBytes: number): ServiceRefusal {
  return new ServiceRefusal(
    'payload_too_large',
    `The body is over ${maxBytes} bytes: send fewer texts at once (service.limits.bodyBytes).`,
  );
}

/** Refuses a token whose claims hold scopes and none of those that are needed. */
export function requireScope({ scopes }: TokenIdentity, needed: readonly string[]): void {
  if (needed.length === 0 || scopes === undefined || needed.some(scope => scopes.has(scope))) return;
  throw new ServiceRefusal('forbidden', `The token lacks the scope ${needed.join(' or ')}.`);
}

/** Refuses a request above those that each tenant has a minute. */
export function requireQuota(quota: TenantQuota, { tenant = '' }: TokenIdentity, nowMs: number): void {
  const waitSeconds = quota.take(tenant, nowMs);
  if (waitSeconds === 0) return;
  throw new ServiceRefusal('rate_limited', 'The tenant is over its requests a minute.', {
    retryAfterSeconds: waitSeconds,
  });
}
