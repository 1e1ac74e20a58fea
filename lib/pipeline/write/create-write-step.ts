import type { QueueRecord, RecordResult } from '../queue-record.ts';
import { pauseForDatabase } from './pause-for-database.ts';
import type { WritePorts } from './write-ports.ts';
import { writeRecord } from './write-record.ts';
import { writeTogether } from './write-together.ts';

export interface WriteStep {
  /** Writes one record. Rejects where the message must be delivered again. */
  one(record: QueueRecord, remainingMs: () => number): Promise<RecordResult>;
  /**
   * Writes several records, and returns those that are done. Never rejects.
   * The others must be taken one by one.
   */
  together(records: readonly QueueRecord[], remainingMs: () => number): Promise<readonly QueueRecord[]>;
}

/**
 * Creates the write step, which pauses the whole pipeline when the database says stop.
 * The first write that succeeds again clears the pause. The message whose failure set the pause is
 * delivered again, so that its success clears the pause wherever the message runs. A new process
 * clears the pause with its first write. A dropped result shows nothing of the database: where no
 * write follows, the guard's probe clears the pause.
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
        // Written alone, the records are found to be written already, and clear the pause.
        return [];
      }
    },
  };
}
