/** The right to try what is paused, given to one at a time wherever they run. */
export interface ProbeClaims {
  /**
   * Whether the pause reason may be probed now: neither it nor its last probe is younger than `intervalSeconds`. True counts as the probe.
   * It writes, so that it also fails where the database refuses to be written.
   */
  claim(scope: string, reason: string, intervalSeconds: number): Promise<boolean>;
}
