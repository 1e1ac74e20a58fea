import { createLambdaClient } from '../adapters/lambda/create-lambda-client.ts';
import { createLambdaEventSources } from '../adapters/lambda/lambda-event-sources.ts';
import { requireWritable } from '../adapters/sql/control/require-writable.ts';
import { createControlStore } from '../adapters/sql/control/sql-control-store.ts';
import { createProbeClaims } from '../adapters/sql/control/sql-probe-claims.ts';
import { tryWriting } from '../adapters/sql/control/try-writing.ts';
import { answers } from '../adapters/sql/database-answers.ts';
import { grantProbe } from '../adapters/sql/embedding/grant-probe.ts';
import { revokeGrant } from '../adapters/sql/embedding/revoke-grant.ts';
import { requireSchemaRights } from '../adapters/sql/migrations/require-schema-rights.ts';
import { openSpaces } from '../adapters/sql/spaces/open-spaces.ts';
import type { SqlDatabase } from '../adapters/sql/sql-database.ts';
import { createOutcomeStore } from '../adapters/sql/writing/sql-outcome-store.ts';
import { FreshetError } from '../core/errors/freshet-error.ts';
import type { GuardedMappings, GuardPorts, GuardState } from '../pipeline/guard/guard-ports.ts';
import { toFreshetError } from '../pipeline/to-freshet-error.ts';
import { type LambdaParts, readLambdaParts } from './lambda-parts.ts';
import { createLambdaProviders } from './lambda-providers.ts';
import type { LambdaSurroundings } from './lambda-surroundings.ts';
import { createReopenedSpaces } from './reopened-spaces.ts';
import { type Wired, wireLambda } from './wire-lambda.ts';

/**
 * Wires `guard` without the database.
 * The guard must work when the database does not answer.
 */
export async function wireGuard(surroundings?: LambdaSurroundings): Promise<Wired<GuardPorts>> {
  return wireLambda('guard', surroundings, async given => {
    const parts = await readLambdaParts('guard', given);
    const { settings, config, secrets, clock } = parts;
    const mappings = requireMappings(parts);
    const state = createKeptState(parts);
    return {
      ports: {
        ...parts,
        mappings,
        openState: state.open,
        eventSources: createLambdaEventSources(createLambdaClient({ region: settings.region })),
        providers: await createLambdaProviders(settings, config, secrets, clock),
      },
      isAlive: async () => true,
      close: state.close,
    };
  });
}

function requireMappings({ settings }: LambdaParts): GuardedMappings {
  if (settings.eventSources !== undefined) return settings.eventSources;
  throw new FreshetError('FRESHET_DEPLOYMENT has no eventSources: deploy the stack again.', {
    failureClass: 'stop',
    code: 'bad_deployment_settings',
  });
}

/**
 * Keeps the database and what was learned of it for as long as the database answers.
 * The database is opened at the first look.
 */
function createKeptState(parts: LambdaParts) {
  let kept: { readonly database: SqlDatabase; readonly state: GuardState } | undefined;
  const close = async () => {
    const closing = kept;
    kept = undefined;
    await closing?.database.close();
  };
  return {
    async open(): Promise<GuardState> {
      if (kept !== undefined && !(await answers(kept.database, parts.clock))) await close().catch(() => {});
      if (kept === undefined) {
        const database = await parts.openDatabase().catch(error => {
          throw toFreshetError(error);
        });
        kept = { database, state: createState(parts, database) };
      }
      await requireWritable(kept.database);
      return kept.state;
    },
    close,
  };
}

function createState({ config, clock }: LambdaParts, database: SqlDatabase): GuardState {
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
