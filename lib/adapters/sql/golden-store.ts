import { sql } from 'kysely';
import type { GoldenKey, GoldenStore, GoldenVectors } from '../../ports/report-store.ts';
import type { SqlDatabase } from './database.ts';

export function createGoldenStore(db: SqlDatabase): GoldenStore {
  return {
    find: key => findGolden(db, key),
    async insert({ modelFingerprint, textVersion }, alias, vectors) {
      await sql`
        INSERT INTO freshet.golden_vectors (model_fingerprint, text_version, model_alias, dimensions, vectors)
        VALUES (${modelFingerprint}, ${textVersion}::int, ${alias}, ${(vectors[0]?.length ?? 0) / 4}::int,
                decode(${Buffer.concat(vectors).toString('hex')}, 'hex'))
        ON CONFLICT (model_fingerprint, text_version) DO NOTHING`.execute(db.kysely);
    },
    async confirm({ modelFingerprint, textVersion }) {
      await sql`UPDATE freshet.golden_vectors SET agreed_at = now()
        WHERE model_fingerprint = ${modelFingerprint} AND text_version = ${textVersion}::int`.execute(
        db.kysely,
      );
    },
  };
}

async function findGolden(
  db: SqlDatabase,
  { modelFingerprint, textVersion }: GoldenKey,
): Promise<GoldenVectors | undefined> {
  const { rows } = await sql<{ vectors: string; dimensions: number; recordedAt: string; ageSeconds: number }>`
    SELECT encode(vectors, 'hex') AS vectors, dimensions, recorded_at::text AS "recordedAt",
           extract(epoch FROM now() - agreed_at)::float8 AS "ageSeconds"
      FROM freshet.golden_vectors
     WHERE model_fingerprint = ${modelFingerprint} AND text_version = ${textVersion}::int`.execute(db.kysely);
  const [row] = rows;
  if (row === undefined) return undefined;
  const bytes = Buffer.from(row.vectors, 'hex');
  const length = row.dimensions * 4;
  const vectors = Array.from({ length: bytes.length / length }, (_, place) =>
    bytes.subarray(place * length, (place + 1) * length),
  );
  return { vectors, recordedAt: row.recordedAt, ageSeconds: row.ageSeconds };
}
