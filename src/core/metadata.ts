// The metadata of a checkpoint as a plain record: what a GGUF header or a config.json says, without the file.

export type MetadataValue =
  string | number | bigint | boolean | readonly string[] | readonly number[] | readonly MetadataValue[];

/** Key -> value with the names of the GGUF specification (`general.architecture`, `tokenizer.ggml.tokens`, ...). */
export type Metadata = Readonly<Record<string, MetadataValue>>;
