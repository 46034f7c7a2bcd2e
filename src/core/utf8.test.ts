// Decoding that loses nothing.

import t from 'tap';
import { decodeUtf8, encodeUtf8 } from './utf8.ts';

void t.test('valid UTF-8 is the text everybody else reads', async (t) => {
  for (const text of ['', 'plain', 'Ünïcödé €', '😀 \u{10ffff}', '\ufffd stays', '\ufeffstays too', '\0']) {
    t.equal(decodeUtf8(Buffer.from(text)), text);
    t.same(Buffer.from(encodeUtf8(text)), Buffer.from(text));
  }
});

void t.test('bytes that are no UTF-8 come back', async (t) => {
  t.equal(decodeUtf8(Uint8Array.of(0x61, 0xff, 0xe2, 0x82)), 'a\udcff\udce2\udc82');
  t.equal(decodeUtf8(Uint8Array.of(0xff, 0xe2, 0x82, 0xac)), '\udcff€');
  t.equal(decodeUtf8(Uint8Array.of(0x61, 0xff, 0x62), 1, 2), '\udcff');
  const awkward = [
    'c080',
    'eda080',
    'f4908080',
    'e09f80',
    'f08f8080',
    'f5',
    '80',
    'e282',
    'ef bf bd ff',
    'f09f98',
    'fffdffef',
  ];
  for (const hex of awkward) {
    const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex');
    t.same(Buffer.from(encodeUtf8(decodeUtf8(bytes))), bytes, hex);
  }
});

void t.test('any bytes survive the way to a string and back', async (t) => {
  let state = 1;
  const next = (bound: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
  // Bytes at the edges of the encoding are likelier than chance would have it.
  const edges = [
    0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xdf, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff,
  ];
  let wrong = 0;
  for (let round = 0; round < 20_000; round++) {
    const bytes = Buffer.from(
      Array.from({ length: next(8) }, () => (next(3) > 0 ? edges[next(edges.length)] : next(256))),
    );
    if (!bytes.equals(encodeUtf8(decodeUtf8(bytes)))) wrong++;
  }
  t.equal(wrong, 0);
  t.same(Buffer.from(encodeUtf8('\ud800x')), Buffer.from('\ufffdx'), 'a surrogate that is no byte');
});
