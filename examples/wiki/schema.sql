CREATE TABLE public.wiki_chunks (
  chunk_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  page_title text NOT NULL,
  heading text,
  body text NOT NULL,
  modified_at timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')
);

CREATE INDEX wiki_chunks_by_modified_at ON public.wiki_chunks (modified_at, chunk_id);

CREATE TABLE public.ai_items (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  title text NOT NULL,
  summary text,
  tags text[] NOT NULL DEFAULT '{}',
  updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX ai_items_by_updated_at ON public.ai_items (updated_at, id);
