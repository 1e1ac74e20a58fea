CREATE TABLE public.ai_items (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  title text NOT NULL,
  summary text,
  tags text[] NOT NULL DEFAULT '{}',
  updated_at timestamptz NOT NULL DEFAULT now()
);

-- Finds edited rows without reading the table.
CREATE INDEX ai_items_by_updated_at ON public.ai_items (updated_at, id);
