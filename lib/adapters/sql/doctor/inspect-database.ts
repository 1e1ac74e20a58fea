import type { PipelineConfig, SourceConfig } from '../../../core/config/pipeline-config.ts';
import { UsageError } from '../../../core/errors/usage-error.ts';
import type { ResolvedSource } from '../../../core/model/space.ts';
import { MIGRATIONS } from '../migrations/migration-list.ts';
import { readSchemaVersion } from '../migrations/read-schema-version.ts';
import { findMissingSchemaRights } from '../migrations/require-schema-rights.ts';
import { resolveSource } from '../sources/resolve-source.ts';
import type { SqlDatabase } from '../sql-database.ts';
import type { DoctorFinding } from './doctor-finding.ts';
import { inspectServer } from './inspect-server.ts';
import { inspectSource } from './inspect-source.ts';
import { inspectTransactions } from './inspect-transactions.ts';
import { inspectVectors } from './inspect-vectors.ts';

export type { DoctorFinding } from './doctor-finding.ts';

/**
 * Collects everything that `freshet doctor` says of the database, and writes nothing.
 * A source that cannot be read does not hide the findings of the others.
 */
export async function inspectDatabase(
  db: SqlDatabase,
  config: PipelineConfig,
): Promise<readonly DoctorFinding[]> {
  const missing = await findMissingSchemaRights(db, 'write');
  const version = missing === undefined ? await readSchemaVersion(db.kysely) : 0;
  const schema = missing === undefined ? inspectSchema(version) : explainRights(missing);
  const findings = [...(await inspectServer(db)), schema, ...(await inspectTransactions(db))];
  for (const sourceConfig of config.sources) {
    const source = await resolveOrExplain(db, sourceConfig);
    if ('check' in source) {
      findings.push(source);
      continue;
    }
    findings.push(...(await inspectSource(db, source)));
    if (version > 0) findings.push(...(await inspectVectors(db, source)));
  }
  return findings;
}

function inspectSchema(version: number): DoctorFinding {
  const needed = MIGRATIONS.at(-1)?.version ?? 0;
  const ok = version === needed;
  return {
    check: 'schema',
    ok,
    severity: ok ? 'info' : 'error',
    message:
      version === 0
        ? 'There is no schema freshet yet.'
        : `Schema freshet has version ${version}${ok ? '' : `; this Freshet needs ${needed}`}.`,
    ...(version < needed ? { statement: 'npm run freshet -- migrate' } : {}),
  };
}

function explainRights({ message, remedy }: UsageError): DoctorFinding {
  return { check: 'schema', ok: false, severity: 'error', message, statement: remedy };
}

async function resolveOrExplain(
  db: SqlDatabase,
  sourceConfig: SourceConfig,
): Promise<ResolvedSource | DoctorFinding> {
  try {
    return await resolveSource(db, sourceConfig);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return {
      check: 'source',
      ok: false,
      severity: 'error',
      message: error.message,
      statement: error.remedy,
    };
  }
}
