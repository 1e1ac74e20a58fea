import { createControlStore } from '../adapters/sql/control/sql-control-store.ts';
import { answers } from '../adapters/sql/database-answers.ts';
import { openSpaces } from '../adapters/sql/spaces/open-spaces.ts';
import type { SqlDatabase } from '../adapters/sql/sql-database.ts';
import type { LambdaName } from '../core/config/lambda-connections.ts';
import type { ControlStore } from '../ports/control-store.ts';
import type { SpaceRegistry } from '../ports/space-registry.ts';
import { type LambdaParts, readLambdaParts } from './lambda-parts.ts';
import type { LambdaSurroundings } from './lambda-surroundings.ts';
import { createReopenedSpaces } from './reopened-spaces.ts';
import type { Wired } from './wire-lambda.ts';

interface DatabaseParts extends LambdaParts {
  readonly database: SqlDatabase;
  readonly spaces: SpaceRegistry;
  readonly control: ControlStore;
}

/**
 * Opens database and spaces for a function that does nothing without them.
 * The spaces are read once here: where they are missing, nothing is wired.
 */
export async function openWithDatabase<Ports>(
  name: LambdaName,
  surroundings: LambdaSurroundings,
  compose: (parts: DatabaseParts) => Ports | Promise<Ports>,
): Promise<Wired<Ports>> {
  const parts = await readLambdaParts(name, surroundings);
  const { config, clock } = parts;
  const database = await parts.openDatabase();
  try {
    const spaces = createReopenedSpaces(() => openSpaces(database, config), clock);
    await spaces.list();
    const ports = await compose({ ...parts, database, spaces, control: createControlStore(database) });
    return { ports, isAlive: () => answers(database, clock), close: () => database.close() };
  } catch (error) {
    await database.close().catch(() => {});
    throw error;
  }
}
