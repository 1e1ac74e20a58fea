import type { QueueRecord, RecordResult } from '../queue-record.ts';
import { pauseForDatabase } from './pause-for-database.ts';
import type { WritePorts } from './write-ports.ts';
import { writeRecord } from './write-record.ts';
import { writeTogether } from './write-together.ts';

export interface WriteStep {
  one(record: QueueRecord, remainingMs: () => number): Promise<RecordResult>;
  /** Gives back those that are done; the others are to be taken one by one. Never rejects. */
  together(records: readonly QueueRecord[], remainingMs: () => number): Promise<readonly QueueRecord[]>;
}

/**
 * `writeRecord` that pauses everything when the database says stop, and clears that pause with the first write that succeeds again. The message
 * whose failure set the pause is delivered again, so its success clears it wherever it runs; a new process checks once. A result that is dropped
 * shows nothing of the database: where no write follows, the guard's probe clears the pause.
 */
export function createWriteStep(ports: WritePorts): WriteStep {
  let mayBePaused = true;
  const resume = async (written: readonly QueueRecord[]) => {
    if (written.length === 0) return;
    if (mayBePaused || written.some(({ receiveCount }) => receiveCount > 1)) {
      await ports.control.resume('pipeline', 'database');
    }
    mayBePaused = false;
  };
  return {
    async one(record, remainingMs) {
      try {
        const outcome = await writeRecord(ports, record, remainingMs);
        if (outcome === 'written') await resume([record]);
        return 'done';
      } catch (error) {
        mayBePaused = true;
        await pauseForDatabase(ports, error);
        throw error;
      }
    },
    async together(records, remainingMs) {
      const done = await writeTogether(ports, records, remainingMs);
      try {
        await resume(done);
        return done;
      } catch {
        // Written alone they are found to be written already, and clear the pause.
        return [];
      }
    },
  };
}
