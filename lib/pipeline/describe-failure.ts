import { FreshetError } from '../core/errors/freshet-error.ts';
import { UsageError } from '../core/errors/usage-error.ts';
import type { ObservedReason } from '../ports/run-observer.ts';

/**
 * Describes anything thrown as class, code and sentence, remedy included.
 * What is neither a `FreshetError` nor a `UsageError` keeps nothing of its message, which may quote
 * a row.
 */
export function describeFailure(error: unknown): ObservedReason {
  if (error instanceof FreshetError) {
    return { failureClass: error.failureClass, code: error.code, message: error.message };
  }
  if (error instanceof UsageError) {
    const message = error.remedy === undefined ? error.message : `${error.message} ${error.remedy}`;
    return { failureClass: 'stop', code: 'not_usable', message };
  }
  return { failureClass: 'unknown', code: 'unexpected', message: describeUnexpected(error) };
}

/** Names the class, Node's code where it has one, and the place; each only if it looks like one. */
function describeUnexpected(error: unknown): string {
  if (!(error instanceof Error)) return `An unexpected ${typeof error} was thrown.`;
  const name = /^[A-Za-z]\w{0,59}$/.test(error.name) ? error.name : 'Error';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const named = /^[A-Z][A-Z0-9_]{1,49}$/.test(code) ? `${name} (${code})` : name;
  const place = findPlace(error);
  return `An unexpected ${named} was thrown${place === undefined ? '' : ` at ${place}`}.`;
}

/** `    at name (file:line:column)`, or the same without a name. */
const FRAME = /^ {4}at (?:.*\()?(?:file:\/\/)?(\/[^()]+|[A-Za-z]:[\\/][^()]+):(\d+):(\d+)\)?$/;
/** Our own code: files of its folders, or the one file of a bundle. Folders above them are nobody's business. */
const OUR_FILE = /^(?:.*[\\/])?((?:lib|bin|functions)[\\/].+|[^\\/]+\.mjs)$/;

/**
 * Where the first frame of our own code is, as `lib/pipeline/detect/reconcile-space.ts:70:21`; undefined where the stack has none.
 * The stack begins with the message, which may quote a row that looks like a frame: it is cut off first.
 */
function findPlace({ stack = '', message }: Error): string | undefined {
  const start = stack.indexOf(message);
  if (start === -1) return undefined;
  for (const line of stack.slice(start + message.length).split('\n')) {
    const [, file = '', row, column] = FRAME.exec(line) ?? [];
    const ours = file.includes('node_modules') ? undefined : OUR_FILE.exec(file)?.[1];
    if (ours !== undefined) return `${ours.replaceAll('\\', '/')}:${row}:${column}`;
  }
  return undefined;
}
