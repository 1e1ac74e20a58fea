"""Talks to the embedding service with OpenAI's client for Python; prints what the client says as JSON."""

import json
import sys

from openai import OpenAI, APIStatusError

url, model = sys.argv[1:3]
client = OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0)
texts = json.load(sys.stdin)


def refusal_of(**request):
    try:
        client.embeddings.create(**request)
    except APIStatusError as error:
        return [error.status_code, error.body.get("code")]
    return None


as_base64 = client.embeddings.create(model=model, input=texts)
as_floats = client.embeddings.create(model=model, input=texts, encoding_format="float")
print(
    json.dumps(
        {
            "models": [each.id for each in client.models.list()],
            "vectors": [each.embedding for each in as_base64.data],
            "floats": [each.embedding for each in as_floats.data],
            "tokens": as_base64.usage.total_tokens,
            "unknown": refusal_of(model="no such model", input="a"),
            "empty": refusal_of(model=model, input=""),
        }
    )
)
