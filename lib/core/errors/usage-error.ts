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
