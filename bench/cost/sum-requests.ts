import type { CountedRun, Traffic } from './cost-lines.ts';
import type { CountedRequest } from './count-requests.ts';

/** What SQS bills as one request. */
const PIECE_BYTES = 64 * 1024;

/** The path stands in the place of an action where the service is S3. */
const isS3 = ({ action }: CountedRequest) => action.startsWith('/');

export function sumRequests(requests: readonly CountedRequest[]): Pick<CountedRun, 's3' | 'sqs'> {
  return {
    sqs: countActions(requests.filter(request => !isS3(request))),
    s3: countObjects(requests.filter(isS3)),
  };
}

export function sumQueueTraffic(requests: readonly CountedRequest[]): Traffic {
  return sumTraffic(requests.filter(request => !isS3(request)));
}

export function sumTraffic(requests: readonly CountedRequest[]): Traffic {
  return {
    sentBytes: requests.reduce((sum, { requestBytes }) => sum + requestBytes, 0),
    receivedBytes: requests.reduce((sum, { responseBytes }) => sum + responseBytes, 0),
  };
}

function countActions(requests: readonly CountedRequest[]): CountedRun['sqs'] {
  const counts: Record<string, { requests: number; pieces: number }> = {};
  for (const { action, requestBytes, responseBytes } of requests) {
    const bytes = action === 'ReceiveMessage' ? responseBytes : requestBytes;
    counts[action] ??= { requests: 0, pieces: 0 };
    counts[action].requests += 1;
    counts[action].pieces += Math.max(1, Math.ceil(bytes / PIECE_BYTES));
  }
  return counts;
}

function countObjects(requests: readonly CountedRequest[]): CountedRun['s3'] {
  const puts = requests.filter(({ method }) => method === 'PUT');
  const gets = requests.filter(({ method }) => method === 'GET');
  return {
    puts: puts.length,
    gets: gets.length,
    putBytes: sumTraffic(puts).sentBytes,
    getBytes: sumTraffic(gets).receivedBytes,
  };
}
