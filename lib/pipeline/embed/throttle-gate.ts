import type { EmbeddingProvider } from '../../ports/embedding-provider.ts';

/** Without a hint: long enough for a limit per minute to move on. */
const FIRST_CLOSURE_MS = 30_000;
/** After a minute of refusals it is no moment's limit: an endpoint that wakes, or a limit that lasts, is asked once a minute. */
const PROBE_INTERVAL_MS = 60_000;
/** Most calls are answered by then: whoever meets a probe under way comes back for its answer. */
const PROBE_ANSWER_MS = 5_000;

/**
 * What the workers of one process know together of a provider that asked for patience: while it lasts one of them asks, the others wait.
 * Without it every message in hand would knock by itself.
 */
interface ThrottleGate {
  /** `probe`: the caller alone may call, once, and must `leave`. A number: milliseconds until it pays to come again. */
  enter(nowMs: number): 'open' | 'probe' | number;
  /** A call ended `throttled` for good, with this code. */
  refuse(nowMs: number, code: string, hintMs: number | undefined): void;
  /** The code of the last refusal. */
  code(): string;
  /** The probe ended. `answered`: not by asking for patience. */
  leave(answered: boolean): void;
}

const gates = new WeakMap<EmbeddingProvider, ThrottleGate>();

/** The gate belongs to the provider, which lives as long as the process. */
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
    code: () => lastCode,
    enter(nowMs) {
      if (closedUntilMs === undefined) return 'open';
      if (nowMs < closedUntilMs) return closedUntilMs - nowMs;
      if (probing) return lasts(nowMs) ? PROBE_INTERVAL_MS : PROBE_ANSWER_MS;
      probing = true;
      return 'probe';
    },
    refuse(nowMs, code, hintMs) {
      lastCode = code;
      refusedSinceMs ??= nowMs;
      const waitMs = lasts(nowMs) ? Math.max(hintMs ?? 0, PROBE_INTERVAL_MS) : (hintMs ?? FIRST_CLOSURE_MS);
      closedUntilMs = Math.max(closedUntilMs ?? 0, nowMs + waitMs);
    },
    leave(answered) {
      probing = false;
      if (!answered) return;
      closedUntilMs = undefined;
      refusedSinceMs = undefined;
    },
  };
}
