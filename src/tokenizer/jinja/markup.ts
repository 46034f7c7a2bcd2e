// HTML escaping as markupsafe does it; `safe`, `escape` and sums with marked text need it.

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  "'": '&#39;',
  '"': '&#34;',
};

export function escapeHtml(value: string): string {
  return value.replaceAll(/[&<>'"]/g, (character) => entities[character]);
}
