-- The function that Supabase's clients and LangChain's SupabaseVectorStore call, over a source of Freshet named ai_items.
-- It runs with its caller's rights, so policies of the table decide what is seen. `filter` is compared with `metadata`.
-- It searches exactly, reading every vector: embeddings.search_ai_items walks an index where there are many.
CREATE FUNCTION match_documents(query_embedding vector, match_count int DEFAULT 10, filter jsonb DEFAULT '{}')
RETURNS TABLE (id bigint, content text, metadata jsonb, similarity float8)
LANGUAGE sql STABLE AS $$
  SELECT found.id, found.content, found.metadata, found.similarity
    FROM (SELECT i.id, concat_ws(' ', i.title, i.summary) AS content,
                 jsonb_build_object('tags', to_jsonb(i.tags)) AS metadata,
                 1 - (e.embedding <=> query_embedding) AS similarity
            FROM embeddings.ai_items AS e JOIN ai_items AS i USING (id)) AS found
   WHERE found.metadata @> filter
   ORDER BY found.similarity DESC
   LIMIT match_count
$$;
