import type { PipelineConfig } from '../core/config/pipeline-config.ts';
import { UsageError } from '../core/errors.ts';
import type { Clock } from '../ports/process.ts';
import type { Reranker } from '../ports/reranker.ts';
import type { Environment } from './workspace.ts';

type Sections = NonNullable<PipelineConfig['rerankers']>;

/**
 * Makes the rerankers of the configuration, each opened when a search first asks for it.
 * Most searches ask for none, and the network is not loaded for them.
 */
export function createRerankers(
  { rerankers = {} }: Pick<PipelineConfig, 'rerankers'>,
  { variables = {} }: Pick<Environment, 'variables'>,
  clock: Clock,
): ReadonlyMap<string, Reranker> {
  return new Map(
    Object.entries(rerankers).map(([name, section]) => {
      let opened: Promise<Reranker> | undefined;
      const reranker: Reranker = {
        ...{ maxTexts: section.maxTexts, maxCharacters: section.maxCharacters },
        async score(...asked) {
          opened ??= openReranker(name, section, variables, clock);
          return (await opened).score(...asked);
        },
      };
      return [name, reranker];
    }),
  );
}

async function openReranker(
  name: string,
  section: Sections[string],
  variables: NonNullable<Environment['variables']>,
  clock: Clock,
): Promise<Reranker> {
  const { openNetwork } = await import('../adapters/network/open-network.ts');
  const { createReranker } = await import('../adapters/rerank/create-reranker.ts');
  const { readProxies } = await import('../adapters/network/proxies.ts');
  const key = section.key && readKey(name, section.key.env, variables[section.key.env]);
  const network = openNetwork(undefined, readProxies(process.env, [section.url]));
  return createReranker(
    name,
    section,
    { key: key === undefined ? undefined : async () => key },
    network,
    clock,
  );
}

function readKey(name: string, variable: string, value: string | undefined): string {
  if (value !== undefined && /^[\x21-\x7e]+$/.test(value)) return value;
  throw new UsageError(
    `The reranker ${name} needs a key in ${variable}, which is not set or holds a character that no key has.`,
    `export ${variable}=…`,
  );
}
