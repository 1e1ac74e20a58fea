import type { EmbeddingProvider } from '../../ports/provider.ts';

/**
 * Milliseconds of the first closure where the provider gives no hint.
 * The time is long enough for a limit per minute to move on.
 */
const FIRST_CLOSURE_MS = 30_000;
/**
 * Milliseconds between two probes once refusals have lasted as long.
 * Refusals that last a minute are no limit of the moment: an endpoint that wakes, or a limit that
 * lasts, is asked once a minute.
 */
const PROBE_INTERVAL_MS = 60_000;
/**
 * Milliseconds after which a caller that meets a probe under way comes back.
 * Most calls are answered by then.
 */
const PROBE_ANSWER_MS = 5_000;

/**
 * What the workers of one process know together of a provider that asked for patience.
 * While the patience lasts, one worker asks and the others wait. Without a gate every message in
 * hand would ask by itself.
 */
interface ThrottleGate {
  /**
   * Asks for the right to call.
   * `open`: the caller may call. `probe`: the caller alone may call, once, and must `endProbe`. A
   * number: milliseconds until coming again is worthwhile.
   */
  enter(nowMs: number): 'open' | 'probe' | number;
  /** Closes the gate after a call that ended `throttled` for good, with this code. */
  close(nowMs: number, code: string, hintMs: number | undefined): void;
  /** Milliseconds until the gate may be entered again, by one caller; 0: it is open. */
  closedMs(nowMs: number): number;
  /** Whether refusals have lasted for so long that one call a minute is made at most. */
  lasts(nowMs: number): boolean;
  /** The code of the call that closed the gate last. */
  code(): string;
  /** Ends the probe. `answered`: the provider did not ask for patience again. */
  endProbe(answered: boolean): void;
}

const gates = new WeakMap<EmbeddingProvider, ThrottleGate>();

/** Finds the gate of a provider. Gate and provider live as long as the process. */
export function gateOf(provider: EmbeddingProvider): ThrottleGate {
  const found = gates.get(provider) ?? createThrottleGate();
  gates.set(provider, found);
  return found;
}

function createThrottleGate(): ThrottleGate {
  let closedUntilMs: number | undefined;
  let refusedSinceMs: number | undefined;
  let probing = false;
  let lastCode = 'throttled';
  const lasts = (nowMs: number) => nowMs - (refusedSinceMs ?? nowMs) >= PROBE_INTERVAL_MS;
  return {
    lasts,
    code: () => lastCode,
    closedMs: nowMs => (closedUntilMs === undefined ? 0 : Math.max(1, closedUntilMs - nowMs)),
    enter(nowMs) {
      if (closedUntilMs === undefined) return 'open';
      if (nowMs < closedUntilMs) return closedUntilMs - nowMs;
      if (probing) return lasts(nowMs) ? PROBE_INTERVAL_MS : PROBE_ANSWER_MS;
      probing = true;
      return 'probe';
    },
    close(nowMs, code, hintMs) {
      lastCode = code;
      refusedSinceMs ??= nowMs;
      const waitMs = lasts(nowMs) ? Math.max(hintMs ?? 0, PROBE_INTERVAL_MS) : (hintMs ?? FIRST_CLOSURE_MS);
      closedUntilMs = Math.max(closedUntilMs ?? 0, nowMs + waitMs);
    },
    endProbe(answered) {
      probing = false;
      if (!answered) return;
      closedUntilMs = undefined;
      refusedSinceMs = undefined;
    },
  };
}
