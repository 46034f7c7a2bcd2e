import OpenAI from 'openai';

const client = new OpenAI({
  baseURL: process.env.OPENAI_BASE_URL ?? 'http://127.0.0.1:1234/v1',
  apiKey: process.env.OPENAI_API_KEY ?? 'not-used',
});

const answer = await client.chat.completions.create({
  model: 'default',
  messages: [{ role: 'user', content: 'who are you?' }],
  temperature: 0,
});

console.log(answer.choices[0].message.content);
console.log(answer.usage);
