// One endpoint of a running server, asked with a base body and one difference.

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  /** Of a plain answer, and of an error. */
  readonly json: Readonly<Record<string, unknown>>;
  /** Of a stream. */
  readonly events: readonly Readonly<Record<string, unknown>>[] | undefined;
  /** Of all choices, in order. */
  readonly text: string;
}

type Body = Readonly<Record<string, unknown>>;

export class FieldServer {
  readonly #url: string;
  readonly #base: Body;

  constructor(url: string, base: Body) {
    this.#url = url;
    this.#base = base;
  }

  get isChat(): boolean {
    return 'messages' in this.#base;
  }

  /** `path`: below the root of the server. */
  async get(path: string): Promise<Response> {
    return await fetch(new URL(path, this.#url));
  }

  async post(path: string, body: Body): Promise<Readonly<Record<string, unknown>>> {
    const answer = await fetch(new URL(path, this.#url), init(body));
    return (await answer.json()) as Readonly<Record<string, unknown>>;
  }

  /** Asked for a continuation of this text, whatever the endpoint. */
  about(text: string): Body {
    return this.isChat ? { messages: [{ role: 'user', content: text }] } : { prompt: text };
  }

  async ask(difference: Body): Promise<Reply> {
    const answer = await fetch(this.#url, init({ ...this.#base, ...difference }));
    const { status, headers } = answer;
    const text = await answer.text();
    if (headers.get('content-type')?.startsWith('text/event-stream') === true) {
      const lines = text.split('\n').filter((line) => line.startsWith('data: {'));
      const events = lines.map((line) => JSON.parse(line.slice('data: '.length)) as Body);
      return { status, headers, json: {}, events, text: textsOf(events).join('\n') };
    }
    const json = JSON.parse(text) as Body;
    return { status, headers, json, events: undefined, text: textsOf([json]).join('\n') };
  }
}

function init(body: Body): RequestInit {
  return { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

interface Choice {
  readonly index: number;
  readonly text?: string;
  readonly message?: { readonly content?: string | null };
  readonly delta?: { readonly content?: string | null };
}

/** Pieces joined by choice. */
function textsOf(objects: readonly Body[]): string[] {
  const texts: string[] = [];
  for (const { choices = [] } of objects as readonly { readonly choices?: readonly Choice[] }[]) {
    for (const { index, text, message, delta } of choices)
      texts[index] = (texts[index] ?? '') + (text ?? message?.content ?? delta?.content ?? '');
  }
  return texts;
}
