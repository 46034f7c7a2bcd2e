// The metadata of a checkpoint as a plain record: what a GGUF header or a config.json says, without the file.

export type MetadataValue =
  string | number | bigint | boolean | readonly string[] | readonly number[] | readonly MetadataValue[];

/**
 * Key -> value with the names of the GGUF specification (`general.architecture`, `tokenizer.ggml.tokens`, ...).
 *
 * Strings are decoded by `decodeUtf8` (utf8.ts): bytes that are no UTF-8 are lone surrogates U+DC80..U+DCFF, and `encodeUtf8` gives
 * the original bytes back. 64-bit integers are numbers where that is exact, else bigints.
 */
export type Metadata = Readonly<Record<string, MetadataValue>>;
