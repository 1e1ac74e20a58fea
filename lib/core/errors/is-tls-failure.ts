const TLS_CODES =
  /^(CERT_|ERR_TLS_|ERR_SSL_|UNABLE_TO_(GET|VERIFY|DECRYPT|DECODE)_|(DEPTH_ZERO_)?SELF_SIGNED_CERT|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH|CRL_|EPROTO$)/;

/**
 * Whether Node's error code says that the other side could not prove its identity.
 * Trying again does not mend such a failure.
 */
export function isTlsFailure(networkCode: string): boolean {
  return TLS_CODES.test(networkCode);
}
