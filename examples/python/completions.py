import os

from openai import OpenAI

client = OpenAI(
    base_url=os.environ.get("OPENAI_BASE_URL", "http://127.0.0.1:1234/v1"),
    api_key=os.environ.get("OPENAI_API_KEY", "not-used"),
)

answer = client.completions.create(
    model="default", prompt="One, two, three,", max_tokens=12, temperature=0
)
print(answer.choices[0].text)
