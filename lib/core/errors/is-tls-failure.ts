const TLS_CODES =
  /^(CERT_|ERR_TLS_|ERR_SSL_|UNABLE_TO_(GET|VERIFY|DECRYPT|DECODE)_|(DEPTH_ZERO_)?SELF_SIGNED_CERT|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH|CRL_|EPROTO$)/;

/** Whether an error code of Node says that the other side could not prove who it is. Trying again does not mend that. */
export function isTlsFailure(networkCode: string): boolean {
  return TLS_CODES.test(networkCode);
}
