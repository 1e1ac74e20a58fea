import type { EmbedPorts } from '../../lib/pipeline/embed/embed-ports.ts';
import { embedRecord } from '../../lib/pipeline/embed/embed-record.ts';
import type { LambdaDependencies } from '../../lib/wiring/lambda.ts';
import { createRecordHandler, lazilyWired } from '../lambda.ts';

export function createHandler(ports: EmbedPorts) {
  return createRecordHandler(ports, (record, remainingMs) => embedRecord(ports, record, remainingMs));
}

export function createLambda(surroundings?: LambdaDependencies) {
  return lazilyWired(async () => {
    const { wireEmbed } = await import('../../lib/wiring/lambda-embed.ts');
    return wireEmbed(surroundings);
  }, createHandler);
}

/** What Lambda invokes for messages of the dispatch queues. */
export const handler = createLambda();
