import { startScript } from './run-script.ts';

/** What the server of `serve-limited.ts` allows. */
export interface Allowance {
  readonly requestsPerMinute: number;
  readonly tokensPerMinute: number;
  /** Seconds in which requests and tokens are counted; the limits count for each second of them. */
  readonly windowSeconds: number;
  /** Whether answers name the limits in `x-ratelimit-limit-*`. */
  readonly namesLimits: boolean;
  readonly dimensions: number;
}

/** What the server saw so far, by its own clock. */
export interface LimitedServerLog {
  readonly nowMs: number;
  readonly calls: {
    readonly atMs: number;
    readonly window: number;
    readonly tokens: number;
    readonly isAdmitted: boolean;
  }[];
}

export interface LimitedServer {
  readonly baseUrl: string;
  /** Changes limits where `changes` has some, and resolves with the log. */
  readonly ask: (changes?: Partial<Allowance>) => Promise<LimitedServerLog>;
  readonly stop: () => void;
}

/** Starts a server that counts requests and tokens by its own clock, in a process of its own. */
export async function startLimitedServer(allowance: Allowance): Promise<LimitedServer> {
  const { process: child, firstLine } = await startScript('apparatus/serve-limited.ts', [
    JSON.stringify(allowance),
  ]);
  const { baseUrl, controlUrl } = JSON.parse(firstLine) as { baseUrl: string; controlUrl: string };
  return {
    baseUrl,
    async ask(changes) {
      const response = await fetch(controlUrl, { method: 'POST', body: JSON.stringify(changes ?? {}) });
      return (await response.json()) as LimitedServerLog;
    },
    stop: () => void child.kill(),
  };
}
