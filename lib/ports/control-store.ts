import type { Space } from '../core/model.ts';

/**
 * A set of pause reasons per scope. A resume clears only the reason that it names.
 * @throws FreshetError from every method, classified from the SQLSTATE.
 */
export interface ControlStore {
  /**
   * Stores a pause reason.
   * `scope` is `model:<alias>`, `source:<name>` or `pipeline`. `reason` is `operator`,
   * `provider:<code>`, `database`, `orphans`, … `detail` is a sentence for people, or empty.
   */
  pause(scope: string, reason: string, detail: string): Promise<void>;
  resume(scope: string, reason: string): Promise<void>;
  /** The reasons of the scope, oldest first; without a scope the reasons of all scopes. */
  reasons(scope?: string): Promise<readonly PauseReason[]>;
}

export interface PauseReason {
  readonly scope: string;
  readonly reason: string;
  readonly detail: string;
  /** When the reason was stored, as the database writes a timestamp. */
  readonly since: string;
}

/** The spaces that steps work on, by the configuration and the database. */
export interface SpaceRegistry {
  /** The spaces of the configuration that are `building` or `active`. */
  list(): Promise<readonly Space[]>;
  /**
   * The space with this id; undefined: the space is unknown here or retired.
   * Messages of an unknown or retired space are dropped with a reason.
   */
  find(spaceId: number): Promise<Space | undefined>;
}

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
