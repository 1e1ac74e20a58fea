import { type FauxqsServer, startFauxqs as start } from 'fauxqs';
import type { AwsAccess } from '../../lib/adapters/aws/client-settings.ts';

/** The keys that sign requests to a server that does not look at the signature. */
export const LOCAL_CREDENTIALS = { accessKeyId: 'local', secretAccessKey: 'local' } as const;

/**
 * Starts SQS and S3 in this process, on a free port of the loopback address.
 *
 * Queue URLs name a host that does not exist: clients send to the endpoint in its place.
 */
export async function startFauxqs(): Promise<{ server: FauxqsServer; access: AwsAccess }> {
  const server = await start({ port: 0, logger: false, host: 'queues.invalid' });
  const endpoint = `http://127.0.0.1:${server.port}`;
  return { server, access: { region: 'us-east-1', endpoint, credentials: LOCAL_CREDENTIALS } };
}
