import { describe, expect, test } from 'vitest';
import { classifyAwsFailure } from '../../../lib/core/failures.ts';

describe('a failure of an AWS service', () => {
  test.each([
    [{ name: 'ThrottlingException', status: 400 }, 'throttled', 'aws_ThrottlingException'],
    [{ name: 'KMS.ThrottlingException', status: 400 }, 'throttled', 'aws_KMS.ThrottlingException'],
    [{ name: 'RequestThrottled', status: 403 }, 'throttled', 'aws_RequestThrottled'],
    [{ name: 'Unheard', status: 429 }, 'throttled', 'aws_Unheard'],
    [{ name: 'SlowDown', status: 503 }, 'transient', 'aws_SlowDown'],
    [{ name: 'Unheard', status: 500 }, 'transient', 'aws_Unheard'],
    [{ status: 502 }, 'transient', 'aws_http_502'],
    [{ timedOut: true }, 'transient', 'aws_timeout'],
    [{ networkCode: 'ECONNRESET' }, 'transient', 'network_econnreset'],
    [{ networkCode: 'ENOTFOUND' }, 'transient', 'network_enotfound'],
    [{ networkCode: 'CERT_HAS_EXPIRED' }, 'stop', 'network_cert_has_expired'],
    [{ name: 'ExpiredTokenException', status: 403 }, 'transient', 'aws_ExpiredTokenException'],
    [{ name: 'AccessDenied', status: 403 }, 'stop', 'aws_AccessDenied'],
    [{ name: 'AccessDeniedException', status: 400 }, 'stop', 'aws_AccessDeniedException'],
    [{ name: 'QueueDoesNotExist', status: 400 }, 'stop', 'aws_QueueDoesNotExist'],
    [
      { name: 'AWS.SimpleQueueService.NonExistentQueue', status: 400 },
      'stop',
      'aws_AWS.SimpleQueueService.NonExistentQueue',
    ],
    [{ name: 'NoSuchBucket', status: 404 }, 'stop', 'aws_NoSuchBucket'],
    [{ name: 'KMSDisabledException', status: 400 }, 'stop', 'aws_KMSDisabledException'],
    [{ name: 'CredentialsProviderError' }, 'stop', 'aws_CredentialsProviderError'],
    [{ name: 'PermanentRedirect', status: 301 }, 'stop', 'aws_PermanentRedirect'],
    [{ name: 'Unheard', status: 403 }, 'stop', 'aws_Unheard'],
    [{ name: 'Unheard', status: 400 }, 'unknown', 'aws_Unheard'],
    [{ name: 'Error' }, 'unknown', 'aws_http_none'],
    [{}, 'unknown', 'aws_http_none'],
  ] as const)('%j is %s', (signal, failureClass, code) => {
    expect(classifyAwsFailure({ service: 'S3', ...signal })).toMatchObject({
      name: 'FreshetError',
      failureClass,
      code,
    });
  });

  test.each(['secret words', '<html>', 'x'.repeat(200), ''])('repeats no name that is none (%j)', name => {
    const failure = classifyAwsFailure({ service: 'S3', name, networkCode: name, status: 400 });

    expect([failure.failureClass, failure.code]).toEqual(['unknown', 'aws_http_400']);
    if (name !== '') expect(failure.message).not.toContain(name);
  });
});
