import { issueToken, type TokenContents } from '../adapters/api/verify-tokens.ts';
import { UsageError } from '../core/errors.ts';
import { loadConfig, readEnvironment, type WorkspaceRequest } from './workspace.ts';

/**
 * Issues a token of the service, for trying it without a login.
 * @throws UsageError where there is no shared secret: the keys of `jwksUrl` are others'
 */
export async function issueOwnToken(
  request: Pick<WorkspaceRequest, 'config' | 'directory'>,
  contents: TokenContents,
): Promise<string> {
  const environment = readEnvironment();
  const { config } = await loadConfig(request.config, request.directory, environment.variables);
  const tokens = config.service?.tokens;
  if (tokens?.secret === undefined)
    throw new UsageError(
      tokens === undefined
        ? 'The service asks for no tokens: service.tokens is not configured.'
        : 'The tokens of service.tokens.jwksUrl are signed by whoever publishes its keys.',
      "Configure service.tokens: { issuer, audience, secret: { env: 'SERVICE_SECRET' } } to try tokens.",
    );
  return issueToken(tokens, contents, environment.variables ?? {});
}
