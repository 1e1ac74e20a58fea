import { UsageError } from '../../core/errors/usage-error.ts';
import type { ProcessIdentity } from './process-identity.ts';

/** Says that another process holds the embedded database in `directory`. */
export class DirectoryInUseError extends UsageError {
  readonly directory: string;
  /** Process that holds the database; undefined where it runs on another host. */
  readonly holder: ProcessIdentity | undefined;

  constructor(
    directory: string,
    holder: ProcessIdentity | undefined,
    message: string,
    remedy: string | undefined,
  ) {
    super(message, remedy);
    this.directory = directory;
    this.holder = holder;
  }
}
