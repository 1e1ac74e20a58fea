import type * as Detect from '../../functions/detect/handler.ts';
import type * as Embed from '../../functions/embed/handler.ts';
import type * as Guard from '../../functions/guard/handler.ts';
import type * as Migrate from '../../functions/migrate/handler.ts';
import type * as Write from '../../functions/write/handler.ts';
import type { FunctionName } from '../../lib/constructs/function-settings.ts';
import { buildHandlers } from '../../test/deployments/built-handlers.ts';
import type { CountedDeployment } from './open-counted-deployment.ts';

/** The functions as a stack deploys them. `lines` is what they have written so far. */
export function loadFunctions({ variables, database, config }: CountedDeployment) {
  const lines: string[] = [];
  const loadMs: Partial<Record<FunctionName, number>> = {};
  const built = buildHandlers(['migrate', 'detect', 'embed', 'write', 'guard'], config);
  const around = (name: FunctionName) => ({
    variables,
    directory: built.folderOf(name),
    writeLine: (line: string) => void lines.push(line),
    openDatabase: async () => ({ ...database, close: async () => {} }),
  });
  const load = <Module>(name: FunctionName): Module => {
    const began = performance.now();
    const module = built.load<Module>(name);
    loadMs[name] = performance.now() - began;
    return module;
  };
  return {
    migrate: load<typeof Migrate>('migrate').createLambda(around('migrate')),
    detect: load<typeof Detect>('detect').createLambda(around('detect')),
    embed: load<typeof Embed>('embed').createLambda(around('embed')),
    write: load<typeof Write>('write').createLambda(around('write')),
    guard: load<typeof Guard>('guard').createLambda(around('guard')),
    lines,
    loadMs,
    remove: built.remove,
  };
}

export type LoadedFunctions = ReturnType<typeof loadFunctions>;
