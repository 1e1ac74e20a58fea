import type { QueueRecord, RecordResult } from '../queue-record.ts';
import { pauseForDatabase } from './pause-for-database.ts';
import type { WritePorts } from './write-ports.ts';
import { writeRecord } from './write-record.ts';

/**
 * `writeRecord` that pauses everything when the database says stop, and clears that pause with the first write that succeeds again. The message
 * whose failure set the pause is delivered again, so its success clears it wherever it runs; a new process checks once.
 */
export function createWriteStep(
  ports: WritePorts,
): (record: QueueRecord, remainingMs: () => number) => Promise<RecordResult> {
  let mayBePaused = true;
  return async (record, remainingMs) => {
    try {
      const result = await writeRecord(ports, record, remainingMs);
      if (mayBePaused || record.receiveCount > 1) await ports.control.resume('pipeline', 'database');
      mayBePaused = false;
      return result;
    } catch (error) {
      mayBePaused = true;
      await pauseForDatabase(ports, error);
      throw error;
    }
  };
}
