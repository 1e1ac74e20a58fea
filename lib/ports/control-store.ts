/**
 * A set of pause reasons per scope. A resume clears only the reason that it names.
 * @throws FreshetError from every method, classified from the SQLSTATE.
 */
export interface ControlStore {
  /**
   * Stores a pause reason.
   * `scope` is `model:<alias>`, `source:<name>` or `pipeline`. `reason` is `operator`,
   * `provider:<code>`, `database`, `orphans`, … `detail` is a sentence or a code for people.
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
