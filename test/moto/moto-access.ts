import type { AwsAccess } from '../../lib/adapters/aws/client-settings.ts';
import { LOCAL_CREDENTIALS } from '../servers/start-fauxqs.ts';

/** The server of `MOTO_URL`, which the configuration of these suites asks for. */
export const MOTO_ACCESS: AwsAccess = {
  region: 'us-east-1',
  endpoint: process.env.MOTO_URL,
  credentials: LOCAL_CREDENTIALS,
};
