/** Embeds a question by `freshet serve`, with the model of the source and the prefix that it wants for questions. */
export async function embedQuery(text, { url, model }) {
  const response = await fetch(`${url}/v1/embed`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model, texts: [text], input_type: 'query' }),
  });
  if (!response.ok) throw new Error(`The service answered ${response.status}.`);
  const { vectors } = await response.json();
  return vectors[0];
}
