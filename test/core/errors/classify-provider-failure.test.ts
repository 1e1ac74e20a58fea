import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FailureClass } from '../../../lib/core/model.ts';
import { failureClassOf } from '../../../lib/core/provider-failure-codes.ts';
import { classifyProviderFailure, type ProviderSignal } from '../../../lib/core/provider-failures.ts';

describe('classifyProviderFailure', () => {
  it.each<[ProviderSignal, FailureClass, string]>([
    // Faults 75–78: rate, ramp, money.
    [{ status: 429 }, 'throttled', 'rate_limit'],
    [{ status: 429, code: 'rate_limit_exceeded', type: 'tokens' }, 'throttled', 'rate_limit'],
    [{ status: 429, code: 'slow_down' }, 'throttled', 'slow_down'],
    [{ status: 503, code: 'slow_down' }, 'throttled', 'slow_down'],
    [{ status: 503, code: 'server_is_overloaded' }, 'throttled', 'overloaded'],
    [{ status: 429, type: 'Overloaded' }, 'throttled', 'overloaded'],
    [{ status: 429, code: 'insufficient_quota' }, 'stop', 'insufficient_quota'],
    [{ status: 429, type: 'insufficient_quota' }, 'stop', 'insufficient_quota'],
    [{ status: 429, code: 'credit_balance_exhausted' }, 'stop', 'credit_balance_exhausted'],
    [{ status: 429, code: 'organization_spend_limit_exceeded' }, 'stop', 'organization_spend_limit_exceeded'],
    [{ status: 429, code: 'project_spend_limit_exceeded' }, 'stop', 'project_spend_limit_exceeded'],
    [{ status: 429, code: 'organization_usage_limit_exceeded' }, 'stop', 'organization_usage_limit_exceeded'],
    [{ status: 402 }, 'stop', 'payment_required'],
    // Faults 79–81: key, permission, model, configuration.
    [{ status: 401, code: 'invalid_api_key' }, 'stop', 'unauthorized'],
    [{ status: 401 }, 'stop', 'unauthorized'],
    [{ status: 403 }, 'stop', 'forbidden'],
    [{ status: 404, code: 'model_not_found' }, 'stop', 'model_not_found'],
    [{ status: 404 }, 'stop', 'not_found'],
    [{ status: 501 }, 'stop', 'embeddings_unsupported'],
    [{ dialect: 'http', status: 501, shouldRetry: true }, 'stop', 'embeddings_unsupported'],
    [{ dialect: 'sagemaker', status: 501 }, 'stop', 'embeddings_unsupported'],
    [{ status: 500, type: 'not_supported_error' }, 'stop', 'embeddings_unsupported'],
    // Not the provider's own answer: what could be one text's fault is one text's until a probe fails.
    [{ status: 403, isForeign: true }, 'item', 'foreign_403'],
    [{ status: 404, isForeign: true, dialect: 'ollama' }, 'item', 'foreign_404'],
    [{ status: 406, isForeign: true }, 'item', 'foreign_406'],
    [{ status: 501, isForeign: true }, 'item', 'foreign_501'],
    [{ status: 200, isForeign: true }, 'item', 'foreign_200'],
    [{ status: 403, isForeign: true, code: 'insufficient_quota' }, 'stop', 'insufficient_quota'],
    [{ status: 400, isForeign: true }, 'item', 'http_400'],
    [{ status: 401, isForeign: true }, 'stop', 'unauthorized'],
    [{ status: 413, isForeign: true }, 'too-large', 'http_413'],
    [{ status: 429, isForeign: true }, 'throttled', 'rate_limit'],
    [{ status: 502, isForeign: true }, 'transient', 'http_502'],
    [{ status: 302, isForeign: true }, 'stop', 'redirect'],
    [{ status: 405 }, 'stop', 'not_found'],
    [{ status: 410 }, 'stop', 'not_found'],
    [{ status: 400, param: 'dimensions' }, 'stop', 'parameter_dimensions'],
    [{ status: 422, param: 'model' }, 'stop', 'parameter_model'],
    [{ status: 400, param: 'service_tier' }, 'stop', 'parameter_service_tier'],
    // Faults 65–69: the batch, or one text of it.
    [{ status: 400, code: 'max_tokens_per_request', param: 'input' }, 'too-large', 'max_tokens_per_request'],
    [{ status: 413 }, 'too-large', 'http_413'],
    [{ status: 400, param: 'input' }, 'item', 'http_400'],
    [{ status: 400, code: 'context_length_exceeded' }, 'item', 'context_length_exceeded'],
    [{ status: 422 }, 'item', 'http_422'],
    // Faults 82–86: come again.
    [{ status: 408 }, 'transient', 'http_408'],
    [{ status: 409 }, 'transient', 'http_409'],
    [{ status: 500 }, 'transient', 'http_500'],
    [{ status: 502 }, 'transient', 'http_502'],
    [{ status: 504 }, 'transient', 'http_504'],
    [{ timedOut: true }, 'transient', 'timeout'],
    [{ networkCode: 'ECONNRESET' }, 'transient', 'network_econnreset'],
    [{ networkCode: 'ENOTFOUND' }, 'transient', 'network_enotfound'],
    [{ networkCode: 'UND_ERR_SOCKET' }, 'transient', 'network_und_err_socket'],
    [{ networkCode: 'CERT_HAS_EXPIRED' }, 'stop', 'network_cert_has_expired'],
    [{ networkCode: 'DEPTH_ZERO_SELF_SIGNED_CERT' }, 'stop', 'network_depth_zero_self_signed_cert'],
    [{ networkCode: 'ERR_TLS_CERT_ALTNAME_INVALID' }, 'stop', 'network_err_tls_cert_altname_invalid'],
    [{ networkCode: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' }, 'stop', 'network_unable_to_verify_leaf_signature'],
    [{ networkCode: 'EPROTO' }, 'stop', 'network_eproto'],
    // Fault 96.
    [{ status: 307 }, 'stop', 'redirect'],
    [{ status: 301 }, 'stop', 'redirect'],
    [{ networkCode: 'ERR_FORBIDDEN_ADDRESS' }, 'stop', 'forbidden_address'],
    // Faults 101–109: SageMaker, and TEI 1.8 and 1.9 behind it.
    [{ dialect: 'sagemaker', status: 413, type: 'Validation' }, 'item', 'tei_validation'],
    [{ dialect: 'sagemaker', status: 422, type: 'Validation' }, 'item', 'tei_validation'],
    [{ dialect: 'sagemaker', status: 400, type: 'Empty' }, 'item', 'tei_empty'],
    [{ dialect: 'sagemaker', status: 422, type: 'Tokenizer' }, 'item', 'tei_tokenizer'],
    [{ dialect: 'sagemaker', status: 424, type: 'Backend' }, 'transient', 'tei_backend'],
    [{ dialect: 'sagemaker', status: 424 }, 'transient', 'tei_backend'],
    [{ dialect: 'sagemaker', status: 429, type: 'Overloaded' }, 'throttled', 'overloaded'],
    [{ dialect: 'sagemaker', status: 503, type: 'Unhealthy' }, 'transient', 'tei_unhealthy'],
    [{ dialect: 'sagemaker', status: 413 }, 'too-large', 'http_413'],
    [{ dialect: 'sagemaker', status: 0 }, 'transient', 'container_timeout'],
    [{ dialect: 'sagemaker', exception: 'ThrottlingException', status: 400 }, 'throttled', 'rate_limit'],
    [{ dialect: 'sagemaker', exception: 'ModelNotReadyException', status: 429 }, 'throttled', 'cold'],
    [{ dialect: 'sagemaker', exception: 'ValidationError', about: 'no_capacity' }, 'throttled', 'cold'],
    [
      { dialect: 'sagemaker', exception: 'ValidationError', about: 'endpoint_not_found' },
      'stop',
      'endpoint_not_found',
    ],
    [
      { dialect: 'sagemaker', exception: 'ValidationError', about: 'payload_too_large' },
      'too-large',
      'payload_too_large',
    ],
    [{ dialect: 'sagemaker', exception: 'ValidationError', status: 400 }, 'stop', 'validation_error'],
    [
      { dialect: 'sagemaker', exception: 'InternalDependencyException', status: 530 },
      'transient',
      'http_530',
    ],
    [{ dialect: 'sagemaker', exception: 'AccessDeniedException', status: 403 }, 'stop', 'access_denied'],
    [{ dialect: 'sagemaker', exception: 'ExpiredTokenException', status: 403 }, 'transient', 'expired_token'],
    [{ exception: 'SomethingNew', status: 503 }, 'transient', 'http_503'],
    // Ollama, and the /v1/embed contract.
    [{ dialect: 'ollama', status: 503 }, 'throttled', 'overloaded'],
    [{ dialect: 'ollama', status: 404 }, 'stop', 'model_not_found'],
    [{ dialect: 'http', status: 503 }, 'throttled', 'overloaded'],
    [{ dialect: 'http', status: 503, code: 'not_ready' }, 'throttled', 'cold'],
    [{ dialect: 'http', status: 413, code: 'batch_too_large' }, 'too-large', 'batch_too_large'],
    [{ dialect: 'http', status: 422, code: 'invalid_text' }, 'item', 'invalid_text'],
    // Words of one dialect mean nothing in another.
    [{ status: 400, type: 'Validation' }, 'item', 'http_400'],
    // The rest.
    [{ status: 418 }, 'unknown', 'http_418'],
    [{ status: 418, shouldRetry: true }, 'transient', 'http_418'],
    [{}, 'unknown', 'unclassified'],
    [{ shouldRetry: true }, 'transient', 'unclassified'],
  ])('takes %o as %s (%s)', (signal, failureClass, code) => {
    expect(classifyProviderFailure(signal)).toMatchObject({ failureClass, code });
  });

  it('says what to do about a model or a server without embeddings', () => {
    expect(classifyProviderFailure({ status: 501 }).message).toBe(
      'The provider did not embed (embeddings_unsupported): the model is paused until this is mended. ' +
        'The model, or the server as it was started, makes no embeddings: name a model for embeddings ' +
        '(modelId), or start the server for them (llama.cpp: --embeddings).',
    );
  });

  it.each<[ProviderSignal, RegExp]>([
    [{ status: 404 }, /check baseUrl \(most servers want \/v1 at its end\) and modelId/],
    [{ status: 404, code: 'model_not_found' }, /Check modelId/],
    [{ status: 401 }, /The key is missing, wrong or revoked/],
    [{ status: 402 }, /no credit left/],
    [{ status: 429, code: 'insufficient_quota' }, /no credit left/],
    [{ status: 308 }, /sends calls to another address.*baseUrl: https in place of http/],
    [{ networkCode: 'ENOTFOUND' }, /finds no address of the name in baseUrl/],
    [{ networkCode: 'ECONNREFUSED' }, /Nobody listens at the address in baseUrl/],
  ])('says what to do about what a first run meets: %o', (signal, remedy) => {
    expect(classifyProviderFailure(signal).message).toMatch(remedy);
  });

  it('lets no retry hint overrule what is known', () => {
    expect(
      classifyProviderFailure({ status: 429, code: 'insufficient_quota', shouldRetry: true }).failureClass,
    ).toBe('stop');
    expect(classifyProviderFailure({ status: 500, shouldRetry: false }).failureClass).toBe('transient');
    expect(classifyProviderFailure({ status: 400, shouldRetry: true }).failureClass).toBe('item');
  });

  it('asks a cold endpoint again within a minute, or when it says', () => {
    expect(classifyProviderFailure({ exception: 'ModelNotReadyException' }).retryAfterMs).toBe(45_000);
    expect(
      classifyProviderFailure({ exception: 'ModelNotReadyException', retryAfterMs: 9 }).retryAfterMs,
    ).toBe(9);
  });

  it('passes on how long to wait and the request id', () => {
    expect(classifyProviderFailure({ status: 429, retryAfterMs: 120_000, requestId: 'req_1' })).toMatchObject(
      {
        retryAfterMs: 120_000,
        requestId: 'req_1',
      },
    );
  });

  it('repeats no word of the provider that it does not know', () => {
    const word = fc.oneof(
      fc.string().map(text => `canary ${text}`),
      fc.constantFrom('toString', '__proto__', 'canary'),
    );

    fc.assert(
      fc.property(word, fc.option(fc.integer({ min: 100, max: 599 }), { nil: undefined }), (text, status) => {
        const error = classifyProviderFailure({
          status,
          code: text,
          type: text,
          param: text,
          networkCode: text,
          exception: text,
        });

        expect(error.code).toMatch(
          /^(http_\d{3}|unclassified|redirect|unauthorized|payment_required|forbidden|not_found|rate_limit|embeddings_unsupported)$/,
        );
        expect(error.message).not.toContain('canary');
        expect(error.failureClass).toBe(failureClassOf(error.code));
      }),
    );
  });
});
