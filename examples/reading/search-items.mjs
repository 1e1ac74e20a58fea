/** Finds the rows of ai_items nearest to a vector, by the function that `freshet migrate` made beside the view. */
export async function searchItems(pool, vector, limit) {
  const { rows } = await pool.query(
    `SELECT i.id::text AS id, concat_ws(' ', i.title, i.summary) AS text, i.tags, f.score
       FROM embeddings.search_ai_items($1::vector, $2) AS f JOIN ai_items AS i USING (id)
      ORDER BY f.score DESC`,
    [JSON.stringify(vector), limit],
  );
  return rows;
}
