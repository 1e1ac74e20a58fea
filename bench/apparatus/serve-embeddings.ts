import { startLoopbackOpenAiServer } from '../../test/doubles/loopback-openai-server.ts';

/**
 * Serves the embeddings of a bench until the process is killed.
 *
 * It is a process of its own, so that its CPU is counted for nobody else. The argument is the
 * latency in ms; the process prints its base URL.
 */
const server = await startLoopbackOpenAiServer({
  dimensions: 1536,
  latencyMs: Number(process.argv[2] ?? 0),
  recordCalls: false,
});
process.stdout.write(`${server.baseUrl}\n`);
