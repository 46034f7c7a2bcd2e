import t from 'tap';
import type { Route } from '../core/operation.ts';
import { readQuery } from './query.ts';

const declared: NonNullable<Route['query']> = {
  parameters: [
    { name: 'metadata', type: 'object' },
    { name: 'include', type: 'array' },
    { name: 'limit', type: 'integer' },
  ],
  validate: () => undefined,
};

void t.test('a map names its keys in brackets', async (t) => {
  const read = (raw: string): unknown => {
    const { values, unknown } = readQuery(raw, declared);
    return [JSON.parse(JSON.stringify(values)), unknown];
  };
  t.same(read('metadata[a]=1&metadata%5Bb%5D=x%20y&limit=3'), [{ metadata: { a: '1', b: 'x y' }, limit: 3 }, []]);
  t.same(read('metadata[]=1'), [{ metadata: { '': '1' } }, []]);
  t.same(read('include[]=a&include[1]=b&include=c'), [{ include: ['a', 'b', 'c'] }, []]);
  t.same(read('metadata=1&metadata[a]=2'), [{ metadata: { a: '2' } }, ['metadata']], 'without brackets it is no map');
  t.same(read('metadata[a][b]=1&limit[a]=2'), [{}, ['metadata[a][b]', 'limit[a]']]);
  t.same(read('metadata[__proto__]=1'), [JSON.parse('{"metadata":{"__proto__":"1"}}'), []]);
  t.equal(Object.hasOwn(Object.prototype, '1'), false);
});
