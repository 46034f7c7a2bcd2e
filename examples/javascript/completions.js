import OpenAI from 'openai';

const client = new OpenAI({
  baseURL: process.env.OPENAI_BASE_URL ?? 'http://127.0.0.1:1234/v1',
  apiKey: process.env.OPENAI_API_KEY ?? 'not-used',
});

// Several texts in one request; each continues as it would alone.
const answer = await client.completions.create({
  model: 'default',
  prompt: ['One, two, three,', 'The first word is'],
  max_tokens: 12,
  temperature: 0,
});

for (const choice of answer.choices) console.log(`${choice.index}: ${JSON.stringify(choice.text)}`);
