import { UsageError } from '../../core/errors/usage-error.ts';
import type { ProcessIdentity } from './process-identity.ts';

/** Another process has the embedded database. */
export class DirectoryInUseError extends UsageError {
  readonly directory: string;
  /** Undefined where the process is on another host. */
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
