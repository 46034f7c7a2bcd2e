// One KV block as a file: a header, then the bytes of `KvBlocks.read`. Whatever is not exactly what its name promises is no block.
//
//   0    8  magic                          32   32  SHA-256 of what decides the content, the same as in the name
//   8    4  version                        64   60  fingerprint of the model, for people
//   12   4  CRC-32 of the content          124   4  CRC-32 of bytes 0..123
//   16   8  bytes of the content           128      content
//   24   8  0                              all numbers little-endian

import { createHash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** What all blocks of one model, type of the cache and build have in common. */
export interface BlockKind {
  /** Names weights, formats, type of the cache and numerics. */
  readonly fingerprint: string;
  /** `KvBlocks.layout` */
  readonly layout: string;
  /** `KvBlocks.bytes` */
  readonly bytes: number;
}

/** Counted up when a reader of before would misread it; it is part of names, so that versions do not even see each other's blocks. */
const version = 1;
const magic = Buffer.from('TRMTN-KV');

export const headerBytes = 128;

/**
 * The name of the file of the block with this key (prefix-cache.ts). It begins with the place in its text, since the ends of texts are
 * worth less than their beginnings.
 */
export function fileName({ fingerprint, layout, bytes }: BlockKind, key: string): string {
  const content = JSON.stringify([version, fingerprint, layout, bytes, key]);
  return `tramontane-${key.split('-', 1)[0]}-${createHash('sha256').update(content).digest('hex')}.kv`;
}

export interface ParsedName {
  /** Number of the block in its text. */
  readonly index: number;
  readonly hash: string;
  /** Not whole yet, or left behind by a process that ended. */
  readonly isTemporary: boolean;
}

/** `undefined`: no file of ours. */
export function parseName(name: string): ParsedName | undefined {
  const match = /^tramontane-(\d{1,9})-([0-9a-f]{64})\.kv(\.[0-9a-f]{16}\.tmp)?$/.exec(name);
  if (match === null) return undefined;
  return { index: Number(match[1]), hash: match[2], isTemporary: match[3] !== undefined };
}

export function temporaryName(name: string): string {
  return `${name}.${randomBytes(8).toString('hex')}.tmp`;
}

/** Writes the header before the content that is in `file` already: [headerBytes + kind.bytes]. */
export function sealBlock(file: Buffer, name: string, { fingerprint, bytes }: BlockKind): void {
  const header = file.subarray(0, headerBytes);
  header.fill(0);
  magic.copy(header, 0);
  header.writeUInt32LE(version, 8);
  header.writeUInt32LE(crc32(file.subarray(headerBytes)), 12);
  header.writeBigUInt64LE(BigInt(bytes), 16);
  header.write(hashIn(name), 32, 'hex');
  header.write(fingerprint.slice(0, 60), 64, 'latin1');
  header.writeUInt32LE(crc32(header.subarray(0, 124)), 124);
}

/** Why what was read from the file of this name is not the block it names; `undefined`: it is. */
export function flawOf(file: Buffer, name: string, { bytes }: BlockKind): string | undefined {
  if (file.length < headerBytes || !file.subarray(0, 8).equals(magic)) return 'it is another kind of file';
  if (file.readUInt32LE(124) !== crc32(file.subarray(0, 124))) return 'its header is damaged';
  if (file.readUInt32LE(8) !== version) return `it has version ${file.readUInt32LE(8)}, not ${version}`;
  if (file.toString('hex', 32, 64) !== hashIn(name)) return 'it holds another block';
  if (file.readBigUInt64LE(16) !== BigInt(bytes) || file.length !== headerBytes + bytes) return 'it has another size';
  if (file.readUInt32LE(12) !== crc32(file.subarray(headerBytes))) return 'its content is damaged';
  return undefined;
}

function hashIn(name: string): string {
  return parseName(name)?.hash ?? '';
}
