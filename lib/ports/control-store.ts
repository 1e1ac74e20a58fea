/** A set of pause reasons per scope. A resume clears only its own reason. */
export interface ControlStore {
  /** `scope`: `model:<alias>`, `source:<name>` or `pipeline`. `reason`: `operator`, `provider:<code>`, `database`, `orphans`, … */
  pause(scope: string, reason: string, detail: string): Promise<void>;
  resume(scope: string, reason: string): Promise<void>;
  reasons(scope?: string): Promise<readonly PauseReason[]>;
}

export interface PauseReason {
  readonly scope: string;
  readonly reason: string;
  readonly detail: string;
  readonly since: string;
}
