import t from 'tap';
import { chooseFormat } from './choose.ts';
import type { FormatEvent } from './format.ts';
import { plain } from './plain.ts';
import { think } from './think.ts';

/** `reasoning:a|text:b`, whatever the pieces. */
function parsed(pieces: readonly string[], promptEnd = ''): string {
  const parser = think.parser(promptEnd);
  const events: FormatEvent[] = [...pieces.flatMap((piece) => parser.push(piece)), ...parser.end()];
  const blocks: string[] = [];
  let isOpen = false;
  for (const event of events) {
    if (event.type === 'block_start') {
      if (isOpen || event.block !== blocks.length) return `a wrong start ${event.block}`;
      isOpen = true;
      blocks.push(`${event.kind}:`);
    } else if (event.type === 'delta') {
      if (!isOpen || event.block !== blocks.length - 1 || event.text === '') return 'a wrong delta';
      blocks[event.block] += event.text;
    } else isOpen = false;
  }
  return isOpen ? 'left open' : blocks.join('|');
}

const cases: readonly (readonly [string, string, string?])[] = [
  ['<think>\nHm. 1 < 2\n</think>\n\nYes.', 'reasoning:Hm. 1 < 2|text:Yes.'],
  ['Hm.\n</think>\n\nYes.', 'reasoning:Hm.|text:Yes.', 'assistant\n<think>\n'],
  ['\n<think>a</think>b', 'reasoning:a|text:b'],
  ['<think>\n\n</think>\n\nYes.', 'text:Yes.'],
  ['Yes.', 'text:Yes.'],
  ['Yes <think> no </think>', 'text:Yes <think> no </think>'],
  [' <thin air', 'text: <thin air'],
  ['<thi', 'text:<thi'],
  ['<think>cut </thi', 'reasoning:cut </thi'],
  ['<think>cut \n', 'reasoning:cut'],
  ['<think>a </ b</think> c </think>', 'reasoning:a </ b|text:c </think>'],
  ['<think>a</think>', 'reasoning:a'],
  ['<think>', ''],
  ['', ''],
  [' \n', 'text: \n'],
  ['a', 'reasoning:a', '<think>'],
  ['a', 'text:a', '<think></think>'],
];

void t.test('what was thought, and what is said', async (t) => {
  for (const [text, expected, promptEnd] of cases) t.equal(parsed([text], promptEnd), expected, JSON.stringify(text));
});

void t.test('law: any cut of the same text gives the same blocks', async (t) => {
  for (const [text, expected, promptEnd] of cases) {
    t.equal(parsed(Array.from(text), promptEnd), expected, JSON.stringify(text));
    for (let at = 1; at < text.length; at++) {
      const got = parsed([text.slice(0, at), text.slice(at)], promptEnd);
      if (got !== expected) t.equal(got, expected, `${JSON.stringify(text)} cut at ${at}`);
    }
  }
});

void t.test('the template shows which format a model writes', async (t) => {
  t.equal(chooseFormat("{{ messages[0].content.split('</think>')[-1] }}"), think);
  t.equal(chooseFormat('{{ messages[0].content }}'), plain);
});
