import json
import os
import urllib.request

base_url = os.environ.get("OPENAI_BASE_URL", "http://127.0.0.1:1234/v1")
body = {"model": "default", "prompt": "One, two, three,", "max_tokens": 12, "temperature": 0}
request = urllib.request.Request(
    f"{base_url}/completions",
    data=json.dumps(body).encode(),
    headers={
        "Content-Type": "application/json",
        "Authorization": f"Bearer {os.environ.get('OPENAI_API_KEY', 'not-used')}",
    },
)
with urllib.request.urlopen(request) as response:
    answer = json.load(response)
print(answer["choices"][0]["text"])
