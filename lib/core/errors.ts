import type { FailureClass } from './model.ts';
import type { RateLimits } from './rate.ts';

/**
 * The one form of a port's failure; the adapter creates it where the failure enters.
 * The error carries codes and numbers, never a provider's message or a row's text.
 */
export class FreshetError extends Error {
  override readonly name: string = 'FreshetError';
  readonly failureClass: FailureClass;
  /** A short and stable code, as `rate_limit`, `http_503` or `sqlstate_40001`. */
  readonly code: string;
  /** Milliseconds that the other side asked us to wait. Undefined where it did not ask. */
  readonly retryAfterMs: number | undefined;
  readonly requestId: string | undefined;
  /** What a provider allows a minute, where its refusal says so. */
  readonly rateLimits: RateLimits | undefined;
  /**
   * What a person can do, as a sentence that the message ends with.
   * Undefined: nothing is known.
   */
  readonly advice: string | undefined;

  constructor(
    message: string,
    details: {
      failureClass: FailureClass;
      code: string;
      retryAfterMs?: number | undefined;
      requestId?: string | undefined;
      rateLimits?: RateLimits | undefined;
      advice?: string | undefined;
    },
  ) {
    super(message);
    this.failureClass = details.failureClass;
    this.code = details.code;
    this.retryAfterMs = details.retryAfterMs;
    this.requestId = details.requestId;
    this.rateLimits = details.rateLimits;
    this.advice = details.advice;
  }
}

/** Ends the message of a failure with its code, which people look up, where it does not name it. */
export function withCode(message: string, code: string): string {
  return message.includes(code) ? message : `${message} (${code})`;
}

/**
 * A mistake that the person at the keyboard can mend; the command ends with exit code 2.
 * The message says what was wrong, where, and what to do.
 */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  /** A command or SQL statement to paste, where one exists. */
  readonly remedy: string | undefined;

  constructor(message: string, remedy?: string) {
    super(message);
    this.remedy = remedy;
  }
}

/**
 * What a command needs and cannot have at present; the command ends with exit code 1.
 * It is told as a mistake is, and none was made: the same command may work later.
 */
export class UnavailableError extends UsageError {}

/** The code of the failure that this code may not run on the schema of the database. */
export const UNKNOWN_SCHEMA = 'unknown_schema';

/** The code of a statement that waited for a lock for longer than its session allows. */
export const LOCKED = 'sqlstate_55P03';

/** Prefix of error codes and pause reasons that concern the table of one source alone. */
export const SOURCE_FAULT_PREFIX = 'source-fault:';

export function isSourceFault(error: unknown): error is FreshetError {
  return error instanceof FreshetError && error.code.startsWith(SOURCE_FAULT_PREFIX);
}

/**
 * Names class, Node's code and place of a thrown value; each only if it looks like one.
 * Nothing of its message is kept, which may quote a row.
 */
export function describeUnexpected(error: unknown): string {
  if (!(error instanceof Error)) return `An unexpected ${typeof error} was thrown.`;
  const name = /^[A-Za-z]\w{0,59}$/.test(error.name) ? error.name : 'Error';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const named = /^[A-Z][A-Z0-9_]{1,49}$/.test(code) ? `${name} (${code})` : name;
  const place = findPlace(error);
  return `An unexpected ${named} was thrown${place === undefined ? '' : ` at ${place}`}.`;
}

/** `    at name (file:line:column)`, or the same without a name. */
const FRAME = /^ {4}at (?:.*\()?(?:file:\/\/)?(\/[^()]+|[A-Za-z]:[\\/][^()]+):(\d+):(\d+)\)?$/;
/**
 * Our own code: files of its folders, or the one file of a bundle.
 * Folders above them are nobody's business.
 */
const OUR_FILE = /^(?:.*[\\/])?((?:lib|bin|functions)[\\/].+|[^\\/]+\.mjs)$/;

/** A file of any package but this one, whose stacks name the sources that it was bundled from. */
const IN_A_PACKAGE = /[\\/]node_modules[\\/](?!.*[\\/]node_modules[\\/])(?!freshet[\\/])/;

/**
 * Finds the first frame of our own code, as `lib/pipeline/detect/detect.ts:70:21`.
 * Undefined where the stack has none. The stack begins with the message, which may quote a row that
 * looks like a frame: the message is cut off first.
 */
function findPlace({ stack = '', message }: Error): string | undefined {
  const start = stack.indexOf(message);
  if (start === -1) return undefined;
  for (const line of stack.slice(start + message.length).split('\n')) {
    const [, file = '', row, column] = FRAME.exec(line) ?? [];
    const ours = IN_A_PACKAGE.test(file) ? undefined : OUR_FILE.exec(file)?.[1];
    if (ours !== undefined) return `${ours.replaceAll('\\', '/')}:${row}:${column}`;
  }
  return undefined;
}
