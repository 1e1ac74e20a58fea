/** Something that the person at the keyboard can mend: the command ends with exit code 2. The message says what was wrong, where, and what to do. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  /** A command or statement to paste, if there is one. */
  readonly remedy: string | undefined;

  constructor(message: string, remedy?: string) {
    super(message);
    this.remedy = remedy;
  }
}
