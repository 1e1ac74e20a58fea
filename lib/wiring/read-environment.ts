export interface Environment {
  readonly databaseUrl: string | undefined;
  readonly openAiApiKey: string | undefined;
  readonly openAiBaseUrl: string | undefined;
  /** Bearer token of models of provider `http`. */
  readonly httpToken: string | undefined;
}

/** Reads the variables that Freshet reads, all of them. An empty variable counts as not set. */
export function readEnvironment(
  variables: Readonly<Record<string, string | undefined>> = process.env,
): Environment {
  const read = (name: string) => variables[name]?.trim() || undefined;
  return {
    databaseUrl: read('DATABASE_URL'),
    openAiApiKey: read('OPENAI_API_KEY'),
    openAiBaseUrl: read('OPENAI_BASE_URL'),
    httpToken: read('FRESHET_HTTP_TOKEN'),
  };
}
