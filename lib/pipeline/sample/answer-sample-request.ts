import type { SamplePorts, SampleReply, SampleRequest } from './sample-ports.ts';

export async function answerSampleRequest(
  { store, readItems, logger }: SamplePorts,
  request: SampleRequest,
): Promise<SampleReply> {
  switch (request.action) {
    case 'load': {
      const loaded = await store.load(await readItems());
      logger.info('sample-loaded', loaded);
      return loaded;
    }
    case 'insert':
      return { id: await store.insert(request.title) };
    case 'edit':
      return { edited: await store.edit(request.id, request.title) };
    case 'coverage':
      return { spaces: await store.readCoverage() };
  }
}
