import { createLambdaClient, createLambdaEventSources } from '../adapters/aws/event-sources.ts';
import {
  createControlStore,
  createProbeClaims,
  requireWritable,
  tryWriting,
} from '../adapters/sql/control-store.ts';
import { isReachable, type SqlDatabase } from '../adapters/sql/database.ts';
import { grantProbe, revokeGrant } from '../adapters/sql/grants.ts';
import { NEEDED_VERSION, requireSchemaRights } from '../adapters/sql/migrations/migrate.ts';
import { requireUsableSchema } from '../adapters/sql/migrations/schema-version.ts';
import { openSpaces } from '../adapters/sql/open-spaces.ts';
import { createOutcomeStore } from '../adapters/sql/outcome-store.ts';
import { listCaps } from '../core/budget.ts';
import { FreshetError, UNKNOWN_SCHEMA, UsageError } from '../core/errors.ts';
import { describeFailure, toFreshetError } from '../pipeline/failures.ts';
import type { GuardedMappings, GuardPorts, GuardState } from '../pipeline/guard/guard-ports.ts';
import { missingSetting, readLambdaDependencies, type Wired, wireLambda } from './lambda.ts';
import { createLambdaProviders } from './lambda-clients.ts';
import { createReopenedSpaces, type LambdaPorts, readLambdaPorts } from './lambda-ports.ts';

/**
 * Wires `guard` without the database.
 * The guard must work when the database does not answer.
 */
export async function wireGuard(dependencies = readLambdaDependencies()): Promise<Wired<GuardPorts>> {
  return wireLambda('guard', dependencies, async () => {
    const ports = await readLambdaPorts('guard', dependencies);
    const { settings, config, secrets, clock } = ports;
    const mappings = requireMappings(ports);
    const state = createKeptState(ports);
    return {
      ports: {
        ...ports,
        mappings,
        hasCaps: listCaps(config.budget).length > 0,
        openState: state.open,
        eventSources: createLambdaEventSources(createLambdaClient({ region: settings.region })),
        providers: await createLambdaProviders(settings, config, secrets, clock),
      },
      isAlive: async () => true,
      close: state.close,
    };
  });
}

function requireMappings({ settings }: LambdaPorts): GuardedMappings {
  if (settings.eventSources !== undefined) return settings.eventSources;
  throw missingSetting('has no eventSources');
}

/**
 * Keeps the database and what was learned of it for as long as the database answers.
 * The database is opened at the first look.
 */
function createKeptState(ports: LambdaPorts) {
  let kept: { readonly database: SqlDatabase; readonly state: GuardState } | undefined;
  const close = async () => {
    const closing = kept;
    kept = undefined;
    await closing?.database.close();
  };
  return {
    async open(): Promise<GuardState> {
      if (kept !== undefined && !(await isReachable(kept.database, ports.clock)))
        await close().catch(() => {});
      if (kept === undefined) {
        const database = await ports.openDatabase().catch(error => {
          throw toFreshetError(error);
        });
        kept = { database, state: createState(ports, database) };
      }
      await requireKnownSchema(kept.database);
      await requireWritable(kept.database);
      return kept.state;
    },
    close,
  };
}

/** @throws FreshetError with code `unknown_schema` where this code may not run on the schema. */
async function requireKnownSchema(database: SqlDatabase): Promise<void> {
  try {
    await requireUsableSchema(database, NEEDED_VERSION);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const { failureClass, message } = describeFailure(error);
    throw new FreshetError(message, { failureClass, code: UNKNOWN_SCHEMA });
  }
}

function createState({ config, clock }: LambdaPorts, database: SqlDatabase): GuardState {
  return {
    control: createControlStore(database),
    probes: createProbeClaims(database),
    spaces: createReopenedSpaces(() => openSpaces(database, config), clock),
    embedding: {
      grantCall: (_, grant) => grantProbe(database, grant),
      revokeGrant: callId => revokeGrant(database, callId),
    },
    outcomes: createOutcomeStore(database),
    requireWrites: async () => {
      await requireSchemaRights(database, 'write');
      await tryWriting(database);
    },
  };
}
