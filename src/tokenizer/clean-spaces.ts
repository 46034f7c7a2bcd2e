// The tidying of finished text that vocabularies of the GPT-2 and BERT schools are decoded with by other engines. It loses spaces
// that the text really had, so generation never uses it; `inspect tokenize --decode` does, to be comparable.

/** No space before `. , ? !`, none around a lone apostrophe, none before 's 'm 're 've. */
export function cleanSpaces(text: string): string {
  return text
    .replaceAll(/ (?=[?!.,])/g, '')
    .replaceAll(" ' ", "'")
    .replaceAll(/ (?='(?:s|m|re|ve))/g, '');
}
