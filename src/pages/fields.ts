// The page at /docs/fields: what is done with each field of a request. A plain table without a script.

import { escape } from './escape.ts';
import { fieldTables, type FieldRow, type FieldTable } from './field-table.ts';

/** `{{tables}}` of docs/fields.html. */
export function fieldsHtml(document: Readonly<Record<string, unknown>>): string {
  return fieldTables(document).map(tableHtml).join('\n');
}

function tableHtml({ operationId, routes, rows }: FieldTable): string {
  const titles = routes.map((route) => `<code>${escape(route)}</code>`);
  return [
    `<section id="${operationId}">`,
    `<h2>${titles.join('<br />')}</h2>`,
    '<table>',
    '<thead><tr><th scope="col">Field</th><th scope="col">What is done</th><th scope="col">Takes</th><th scope="col">Meaning</th></tr></thead>',
    '<tbody>',
    ...rows.map(rowHtml),
    '</tbody>',
    '</table>',
    '</section>',
  ].join('\n');
}

function rowHtml({ name, support, values, default: preset, accepts, text }: FieldRow): string {
  const notes = [
    marked(text),
    ...(preset === undefined ? [] : [`Default: <code>${escape(JSON.stringify(preset))}</code>.`]),
    ...(accepts.length === 0
      ? []
      : [`Fine all the same: ${accepts.map((value) => `<code>${escape(JSON.stringify(value))}</code>`).join(', ')}.`]),
  ];
  return [
    `<tr data-field="${escape(name)}" data-support="${support}">`,
    `<th scope="row"><code>${escape(name)}</code></th>`,
    `<td><span class="${support}">${support}</span></td>`,
    `<td>${marked(values)}</td>`,
    `<td>${notes.filter((note) => note !== '').join(' ')}</td>`,
    '</tr>',
  ].join('');
}

/** Of Markdown only code: the descriptions have nothing else. */
function marked(text: string): string {
  return escape(text).replace(/`([^`]+)`/g, '<code>$1</code>');
}
