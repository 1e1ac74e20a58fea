import { createWriteStep } from '../../lib/pipeline/write/create-write-step.ts';
import type { WritePorts } from '../../lib/pipeline/write/write-ports.ts';
import { createRecordHandler } from '../middleware/record-handler.ts';

export function createHandler(ports: WritePorts) {
  const { one, together } = createWriteStep(ports);
  return createRecordHandler(ports, one, together);
}
