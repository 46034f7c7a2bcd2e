#!/bin/sh
# --no-buffer: each event is shown as it arrives.
curl --silent --show-error --fail-with-body --no-buffer "${OPENAI_BASE_URL:-http://127.0.0.1:1234/v1}/chat/completions" \
  -H 'Content-Type: application/json' \
  -H "Authorization: Bearer ${OPENAI_API_KEY:-not-used}" \
  -d '{"model": "default", "temperature": 0, "stream": true, "messages": [{"role": "user", "content": "who are you?"}]}'
