import { ServiceRefusal } from '../../../core/service-refusal.ts';
import { readWords, type VerifyToken } from '../verify-tokens.ts';

/** The cookie that holds the token of who logged in. */
export const SESSION_COOKIE = 'freshet_page';

/**
 * Decides whether a token opens the page, which shows and changes the rows of every tenant.
 * @param authorization as the header has it; undefined: no token was given
 * @param verifyToken undefined: no tokens are configured, and whoever reaches the page is let in
 * @throws ServiceRefusal `unauthorized` for none and for one that does not pass, `forbidden` for
 *   one of a tenant or without the scope `admin`
 */
export async function requireAdmin(
  verifyToken: VerifyToken | undefined,
  authorization: string | undefined,
): Promise<void> {
  if (verifyToken === undefined) return;
  const verified = await verifyToken(authorization);
  if (verified.fault !== undefined)
    throw new ServiceRefusal('unauthorized', 'The token is missing or refused.');
  const { tenant, scopes, claims } = verified.identity;
  const isOfTenant = tenant !== undefined || (claims.tenant !== undefined && claims.tenant !== null);
  const named = scopes ?? new Set([...readWords(claims.scope), ...readWords(claims.scp)]);
  if (isOfTenant || !named.has('admin'))
    throw new ServiceRefusal(
      'forbidden',
      'The page is for tokens with the scope admin and without a tenant.',
    );
}
