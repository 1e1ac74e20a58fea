import type { EmbedPorts } from '../../lib/pipeline/embed/embed-ports.ts';
import { embedRecord } from '../../lib/pipeline/embed/embed-record.ts';
import type { LambdaDependencies } from '../../lib/wiring/lambda.ts';
import { createLazyHandler, createRecordHandler } from '../lambda.ts';

export function createHandler(ports: EmbedPorts) {
  return createRecordHandler(ports, (record, remainingMs) => embedRecord(ports, record, remainingMs));
}

export function createLambda(dependencies?: LambdaDependencies) {
  return createLazyHandler(async () => {
    const { wireEmbed } = await import('../../lib/wiring/lambda-embed.ts');
    return wireEmbed(dependencies);
  }, createHandler);
}

/** What Lambda invokes for messages of the dispatch queues. */
export const handler = createLambda();
