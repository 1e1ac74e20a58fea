import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface LoopbackSecretsManager {
  readonly endpoint: string;
  /** By ARN; a secret that is not there is answered as Secrets Manager does. */
  readonly secrets: Map<string, string>;
  close(): Promise<void>;
}

/** `GetSecretValue` on 127.0.0.1, for functions that are given its address by `AWS_ENDPOINT_URL_SECRETS_MANAGER`. */
export async function startLoopbackSecretsManager(
  secrets: Readonly<Record<string, string>>,
): Promise<LoopbackSecretsManager> {
  const known = new Map(Object.entries(secrets));
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { SecretId } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { SecretId: string };
    const value = known.get(SecretId);
    response.writeHead(value === undefined ? 400 : 200, { 'content-type': 'application/x-amz-json-1.1' });
    response.end(
      JSON.stringify(
        value === undefined
          ? { __type: 'ResourceNotFoundException', Message: 'not found' }
          : { ARN: SecretId, Name: 'secret', SecretString: value },
      ),
    );
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    secrets: known,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
