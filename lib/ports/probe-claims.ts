/** Gives the right to probe what is paused to one process at a time, wherever it runs. */
export interface ProbeClaims {
  /**
   * Whether the pause reason may be probed now. True counts as the probe.
   * The reason may be probed when neither the reason nor its last probe is younger than
   * `intervalSeconds`. The claim is a write, so that it also fails where the database refuses to be
   * written.
   * @throws FreshetError, classified from the SQLSTATE.
   */
  claim(scope: string, reason: string, intervalSeconds: number): Promise<boolean>;
}
