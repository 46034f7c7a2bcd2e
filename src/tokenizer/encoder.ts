// What each family of vocabularies supplies; everything else (special tokens, decoding) is shared.

/**
 * Ids of a stretch of text without special tokens. `opens`: it is at the start of the whole text or follows a special token, where
 * some families put a space in front.
 */
export type Encoder = (text: string, opens: boolean) => Iterable<number>;
