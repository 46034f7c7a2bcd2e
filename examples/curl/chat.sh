#!/bin/sh
curl --silent --show-error --fail-with-body "${OPENAI_BASE_URL:-http://127.0.0.1:1234/v1}/chat/completions" \
  -H 'Content-Type: application/json' \
  -H "Authorization: Bearer ${OPENAI_API_KEY:-not-used}" \
  -d '{"model": "default", "temperature": 0, "messages": [{"role": "user", "content": "who are you?"}]}'
echo
