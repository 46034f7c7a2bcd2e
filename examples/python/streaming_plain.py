import json
import os
import urllib.request

base_url = os.environ.get("OPENAI_BASE_URL", "http://127.0.0.1:1234/v1")
body = {
    "model": "default",
    "messages": [{"role": "user", "content": "who are you?"}],
    "temperature": 0,
    "stream": True,
}
request = urllib.request.Request(
    f"{base_url}/chat/completions",
    data=json.dumps(body).encode(),
    headers={
        "Content-Type": "application/json",
        "Authorization": f"Bearer {os.environ.get('OPENAI_API_KEY', 'not-used')}",
    },
)
with urllib.request.urlopen(request) as response:
    for line in response:
        if not line.startswith(b"data: ") or line == b"data: [DONE]\n":
            continue
        for choice in json.loads(line[6:])["choices"]:
            print(choice["delta"].get("content") or "", end="", flush=True)
print()
