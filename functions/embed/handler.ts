import type { EmbedPorts } from '../../lib/pipeline/embed/embed-ports.ts';
import { embedRecord } from '../../lib/pipeline/embed/embed-record.ts';
import { createRecordHandler } from '../middleware/record-handler.ts';

export function createHandler(ports: EmbedPorts) {
  return createRecordHandler(ports, (record, remainingMs) => embedRecord(ports, record, remainingMs));
}
